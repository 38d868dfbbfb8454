package userpools

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// passwordSymbols are what counts as a special character, besides a space within the password.
// https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html
const passwordSymbols = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`=+"

// checkPassword holds a password against the pool's policy.
func checkPassword(policy *cognitoidp.PasswordPolicyType, password string) error {
	var upper, lower, digit, symbol bool
	n := 0
	for i, r := range password {
		n++
		switch {
		case 'A' <= r && r <= 'Z':
			upper = true
		case 'a' <= r && r <= 'z':
			lower = true
		case '0' <= r && r <= '9':
			digit = true
		case strings.ContainsRune(passwordSymbols, r), r == ' ' && i > 0 && i < len(password)-1:
			symbol = true
		}
	}
	refuse := func(why string) error {
		return cognitoidp.InvalidPasswordException("Password did not conform with policy: %s", why)
	}
	switch {
	case int64(n) < shape.Val(policy.MinimumLength):
		return refuse("Password not long enough")
	case shape.Val(policy.RequireUppercase) && !upper:
		return refuse("Password must have uppercase characters")
	case shape.Val(policy.RequireLowercase) && !lower:
		return refuse("Password must have lowercase characters")
	case shape.Val(policy.RequireNumbers) && !digit:
		return refuse("Password must have numeric characters")
	case shape.Val(policy.RequireSymbols) && !symbol:
		return refuse("Password must have symbol characters")
	}
	return nil
}

// temporaryPassword makes a password that meets the policy and survives being typed from a mail.
func temporaryPassword(policy *cognitoidp.PasswordPolicyType) string {
	const (
		upper = "ABCDEFGHJKLMNPQRSTUVWXYZ"
		lower = "abcdefghijkmnopqrstuvwxyz"
		digit = "23456789"
		signs = "!@#%^*-_=+?"
	)
	n := max(8, int(shape.Val(policy.MinimumLength)))
	for {
		p := ident.Random(upper+lower+digit+signs, n)
		// Redrawing until the policy is met keeps every conforming password equally likely.
		strict := &cognitoidp.PasswordPolicyType{MinimumLength: shape.Ptr(int64(n)),
			RequireUppercase: shape.Ptr(true), RequireLowercase: shape.Ptr(true), RequireNumbers: shape.Ptr(true), RequireSymbols: shape.Ptr(true)}
		if checkPassword(strict, p) == nil {
			return p
		}
	}
}
