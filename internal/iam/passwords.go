package iam

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// loginProfile is a user's password. Its document has the id of the user's.
type loginProfile struct {
	Hash          passwordHash
	Created       int64
	Changed       int64
	Used          int64 // when it last opened something; 0: never
	ResetRequired bool
	History       []passwordHash `json:",omitempty"` // former ones, the newest first
}

var loginProfiles = store.Kind[loginProfile]{Name: "iam.login"}

// passwordHash is PBKDF2 with HMAC-SHA-256 (RFC 8018). Passwords of users of IAM are checked seldom, so
// the count is what OWASP recommends, about a fifth of a second.
type passwordHash struct {
	Salt  []byte
	Count int
	Sum   []byte
}

const hashCount = 600_000

func hashPassword(password seal.Secret) passwordHash {
	h := passwordHash{Salt: make([]byte, 16), Count: hashCount}
	rand.Read(h.Salt) // never fails
	h.Sum = h.sum(password)
	return h
}

func (h *passwordHash) sum(password seal.Secret) []byte {
	sum, err := pbkdf2.Key(sha256.New, password.Reveal(), h.Salt, h.Count, sha256.Size)
	if err != nil {
		return nil // the parameters are not the library's, which matches no sum
	}
	return sum
}

func (h *passwordHash) matches(password seal.Secret) bool {
	sum := h.sum(password)
	return len(sum) > 0 && subtle.ConstantTimeCompare(sum, h.Sum) == 1
}

// account is what the account has one of.
type account struct {
	Alias    string
	Password *passwordPolicy
}

var accounts = store.Kind[account]{Name: "iam.account"}

// passwordPolicy is the account's policy for passwords of its users.
type passwordPolicy struct {
	MinLength                      int64
	Symbols, Numbers, Upper, Lower bool
	UsersMayChange                 bool
	MaxAge                         int64 // days; 0: for ever
	Reuse                          int64 // former passwords that may not come again
	HardExpiry                     bool
}

// defaultPolicy counts where the account has none: at least 8 characters, of three kinds.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html
var defaultPolicy = passwordPolicy{MinLength: 8}

const symbols = "!@#$%^&*()_+-=[]{}|'"

// check tells whether a password is as the policy wants it. user is the user's name.
func (p *passwordPolicy) check(password seal.Secret, user string, standard bool) error {
	text := password.Reveal()
	has := func(set string) bool { return strings.ContainsAny(text, set) }
	upper, lower := has("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), has("abcdefghijklmnopqrstuvwxyz")
	numbers, symbol := has("0123456789"), has(symbols)
	kinds := 0
	for _, b := range []bool{upper, lower, numbers, symbol} {
		if b {
			kinds++
		}
	}
	switch {
	case int64(utf8.RuneCountInString(text)) < p.MinLength:
		return iam.PasswordPolicyViolationException("Password should have a minimum length of %d", p.MinLength)
	case p.Symbols && !symbol:
		return iam.PasswordPolicyViolationException("Password should have at least one symbol")
	case p.Numbers && !numbers:
		return iam.PasswordPolicyViolationException("Password should have at least one number")
	case p.Upper && !upper:
		return iam.PasswordPolicyViolationException("Password should have at least one uppercase letter")
	case p.Lower && !lower:
		return iam.PasswordPolicyViolationException("Password should have at least one lowercase letter")
	case standard && (kinds < 3 || strings.EqualFold(text, user)):
		return iam.PasswordPolicyViolationException("Password does not conform to the account password policy.")
	}
	return nil
}

// account returns what the account has one of.
func (s *Service) account(ctx context.Context) (*account, error) {
	a, err := accounts.Cached(ctx, s.DB, s.Account)
	if errors.Is(err, store.ErrNotFound) {
		return new(account), nil
	}
	return a, err
}

func (s *Service) changeAccount(ctx context.Context, f func(*account) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		a, err := accounts.Get(tx, s.Account)
		if errors.Is(err, store.ErrNotFound) {
			a, err = new(account), nil
		}
		if err == nil {
			err = f(a)
		}
		if err != nil {
			return err
		}
		return accounts.Put(tx, store.Key{ID: s.Account}, a)
	})
}

// acceptable checks a new password for a user.
func (s *Service) acceptable(ctx context.Context, password seal.Secret, user string) (*passwordPolicy, error) {
	a, err := s.account(ctx)
	if err != nil {
		return nil, err
	}
	p, standard := a.Password, false
	if p == nil {
		p, standard = &defaultPolicy, true
	}
	return p, p.check(password, user, standard)
}

func noLogin(user string) error {
	return iam.NoSuchEntityException("Login Profile for User %s cannot be found.", user)
}

func (p *loginProfile) shape(u *User) *iam.LoginProfile {
	return &iam.LoginProfile{UserName: u.Name, CreateDate: timeOf(p.Created), PasswordResetRequired: &p.ResetRequired}
}

func (s *Service) CreateLoginProfile(ctx context.Context, in *iam.CreateLoginProfileRequest) (*iam.CreateLoginProfileResponse, error) {
	name, err := s.userOf(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if in.Password == nil {
		return nil, shape.Errorf("ValidationError", 400, "1 validation error detected: Value null at 'password' failed to satisfy constraint: Member must not be null")
	}
	u, err := s.getUser(ctx, name)
	if err != nil {
		return nil, err
	}
	password := seal.Secret(*in.Password)
	if _, err := s.acceptable(ctx, password, u.Name); err != nil {
		return nil, err
	}
	now := s.Now().UnixMilli()
	p := &loginProfile{Hash: hashPassword(password), Created: now, Changed: now, ResetRequired: shape.Val(in.PasswordResetRequired)}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if now, err := users.Get(tx, userKey(name).ID); errors.Is(err, store.ErrNotFound) || err == nil && now.ID != u.ID {
			return noUser(name)
		} else if err != nil {
			return err
		}
		err := loginProfiles.Insert(tx, store.Key{ID: userKey(name).ID}, p)
		if errors.Is(err, store.ErrExists) {
			return iam.EntityAlreadyExistsException("Login Profile for user %s already exists.", u.Name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateLoginProfileResponse{LoginProfile: p.shape(u)}, nil
}

// login returns a user and its login profile.
func (s *Service) login(ctx context.Context, name *string) (*User, *loginProfile, error) {
	who, err := s.userOf(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	u, err := s.getUser(ctx, who)
	if err != nil {
		return nil, nil, err
	}
	p, err := loginProfiles.Cached(ctx, s.DB, userKey(who).ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, noLogin(u.Name)
	}
	return u, p, err
}

func (s *Service) GetLoginProfile(ctx context.Context, in *iam.GetLoginProfileRequest) (*iam.GetLoginProfileResponse, error) {
	u, p, err := s.login(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.GetLoginProfileResponse{LoginProfile: p.shape(u)}, nil
}

func (s *Service) DeleteLoginProfile(ctx context.Context, in *iam.DeleteLoginProfileRequest) (*iam.DeleteLoginProfileResponse, error) {
	u, _, err := s.login(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error { return loginProfiles.Delete(tx, userKey(u.Name).ID) })
	if errors.Is(err, store.ErrNotFound) {
		err = noLogin(u.Name)
	}
	return &iam.DeleteLoginProfileResponse{}, err
}

func (s *Service) UpdateLoginProfile(ctx context.Context, in *iam.UpdateLoginProfileRequest) (*iam.UpdateLoginProfileResponse, error) {
	u, p, err := s.login(ctx, &in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateLoginProfileResponse{}, s.setPassword(ctx, u, p, in.Password, in.PasswordResetRequired)
}

// setPassword changes a user's password, if one is given. The hashing is done before the transaction.
func (s *Service) setPassword(ctx context.Context, u *User, p *loginProfile, password *string, reset *bool) error {
	next := *p
	if password != nil {
		secret := seal.Secret(*password)
		rules, err := s.acceptable(ctx, secret, u.Name)
		if err != nil {
			return err
		}
		former := append([]passwordHash{p.Hash}, p.History...)
		former = former[:min(len(former), int(rules.Reuse))]
		for i := range former {
			if former[i].matches(secret) {
				return iam.PasswordPolicyViolationException("Password cannot be reused.")
			}
		}
		next.Hash, next.History, next.Changed = hashPassword(secret), former, s.Now().UnixMilli()
	}
	if reset != nil {
		next.ResetRequired = *reset
	}
	key := userKey(u.Name).ID
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		now, err := loginProfiles.Get(tx, key)
		if errors.Is(err, store.ErrNotFound) {
			return noLogin(u.Name)
		}
		if err != nil {
			return err
		}
		if now.Changed != p.Changed {
			return iam.EntityTemporarilyUnmodifiableException("Login Profile for User %s cannot be modified while login profile is being changed.", u.Name)
		}
		return loginProfiles.Put(tx, store.Key{ID: key}, &next)
	})
}

// ChangePassword changes the caller's own password.
func (s *Service) ChangePassword(ctx context.Context, in *iam.ChangePasswordRequest) (*iam.ChangePasswordResponse, error) {
	u, p, err := s.login(ctx, nil)
	if err != nil {
		return nil, err
	}
	if !p.Hash.matches(seal.Secret(in.OldPassword)) {
		return nil, shape.Errorf("AccessDenied", 403, "The old password was incorrect.")
	}
	return &iam.ChangePasswordResponse{}, s.setPassword(ctx, u, p, &in.NewPassword, shape.Ptr(false))
}

func (s *Service) noPasswordPolicy() error {
	return iam.NoSuchEntityException("The Password Policy with domain name %s cannot be found.", s.Account)
}

func (s *Service) GetAccountPasswordPolicy(ctx context.Context, _ *iam.GetAccountPasswordPolicyRequest) (*iam.GetAccountPasswordPolicyResponse, error) {
	a, err := s.account(ctx)
	if err != nil {
		return nil, err
	}
	p := a.Password
	if p == nil {
		return nil, s.noPasswordPolicy()
	}
	out := &iam.PasswordPolicy{
		MinimumPasswordLength: &p.MinLength, RequireSymbols: &p.Symbols, RequireNumbers: &p.Numbers, RequireUppercaseCharacters: &p.Upper,
		RequireLowercaseCharacters: &p.Lower, AllowUsersToChangePassword: &p.UsersMayChange, ExpirePasswords: shape.Ptr(p.MaxAge > 0),
	}
	if p.MaxAge > 0 {
		out.MaxPasswordAge, out.HardExpiry = &p.MaxAge, &p.HardExpiry
	}
	if p.Reuse > 0 {
		out.PasswordReusePrevention = &p.Reuse
	}
	return &iam.GetAccountPasswordPolicyResponse{PasswordPolicy: out}, nil
}

// UpdateAccountPasswordPolicy sets the policy; what is not given takes its default, not what was before.
func (s *Service) UpdateAccountPasswordPolicy(ctx context.Context, in *iam.UpdateAccountPasswordPolicyRequest) (*iam.UpdateAccountPasswordPolicyResponse, error) {
	p := &passwordPolicy{
		MinLength: 6, Symbols: shape.Val(in.RequireSymbols), Numbers: shape.Val(in.RequireNumbers), Upper: shape.Val(in.RequireUppercaseCharacters),
		Lower: shape.Val(in.RequireLowercaseCharacters), UsersMayChange: shape.Val(in.AllowUsersToChangePassword), MaxAge: shape.Val(in.MaxPasswordAge),
		Reuse: shape.Val(in.PasswordReusePrevention), HardExpiry: shape.Val(in.HardExpiry),
	}
	if in.MinimumPasswordLength != nil {
		p.MinLength = *in.MinimumPasswordLength
	}
	return &iam.UpdateAccountPasswordPolicyResponse{}, s.changeAccount(ctx, func(a *account) error { a.Password = p; return nil })
}

func (s *Service) DeleteAccountPasswordPolicy(ctx context.Context, _ *iam.DeleteAccountPasswordPolicyRequest) (*iam.DeleteAccountPasswordPolicyResponse, error) {
	return &iam.DeleteAccountPasswordPolicyResponse{}, s.changeAccount(ctx, func(a *account) error {
		if a.Password == nil {
			return s.noPasswordPolicy()
		}
		a.Password = nil
		return nil
	})
}

func (s *Service) CreateAccountAlias(ctx context.Context, in *iam.CreateAccountAliasRequest) (*iam.CreateAccountAliasResponse, error) {
	return &iam.CreateAccountAliasResponse{}, s.changeAccount(ctx, func(a *account) error {
		if a.Alias == in.AccountAlias {
			return iam.EntityAlreadyExistsException("The account alias %s already exists.", in.AccountAlias)
		}
		a.Alias = in.AccountAlias // an account has one: the new one takes the old one's place
		return nil
	})
}

func (s *Service) DeleteAccountAlias(ctx context.Context, in *iam.DeleteAccountAliasRequest) (*iam.DeleteAccountAliasResponse, error) {
	return &iam.DeleteAccountAliasResponse{}, s.changeAccount(ctx, func(a *account) error {
		if a.Alias != in.AccountAlias {
			return iam.NoSuchEntityException("The account alias %s cannot be found.", in.AccountAlias)
		}
		a.Alias = ""
		return nil
	})
}

func (s *Service) ListAccountAliases(ctx context.Context, _ *iam.ListAccountAliasesRequest) (*iam.ListAccountAliasesResponse, error) {
	a, err := s.account(ctx)
	if err != nil {
		return nil, err
	}
	out := &iam.ListAccountAliasesResponse{AccountAliases: []string{}, IsTruncated: shape.Ptr(false)}
	if a.Alias != "" {
		out.AccountAliases = append(out.AccountAliases, a.Alias)
	}
	return out, nil
}
