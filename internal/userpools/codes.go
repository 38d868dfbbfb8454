package userpools

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// codeKind says what a code is good for; the numbers are stored.
type codeKind int64

const (
	signUpCode codeKind = iota
	passwordCode
	emailCode
	phoneCode
)

const (
	codeTries     = 5 // wrong ones before the code is dead
	codesPerHour  = 5 // of a kind, to one user
	codeWindow    = time.Hour
	signUpCodeTTL = 24 * time.Hour
)

func (k codeKind) String() string {
	return [...]string{"SignUp", "ForgotPassword", "VerifyEmail", "VerifyPhoneNumber"}[k]
}

// ttl is how long a code is good for: an hour to choose a new password, a day for the rest.
func (k codeKind) ttl() time.Duration {
	if k == passwordCode {
		return time.Hour
	}
	return signUpCodeTTL
}

func attributeCode(attribute string) codeKind {
	if attribute == "email" {
		return emailCode
	}
	return phoneCode
}

// delivery is where a code or password goes.
type delivery struct {
	attribute string // "email" or "phone_number"
	value     string
}

func (d delivery) channel() message.Channel {
	if d.attribute == "email" {
		return message.Email
	}
	return message.SMS
}

func (d delivery) details() *cognitoidp.CodeDeliveryDetailsType {
	medium := "SMS"
	if d.attribute == "email" {
		medium = "EMAIL"
	}
	return &cognitoidp.CodeDeliveryDetailsType{AttributeName: shape.Ptr(d.attribute), DeliveryMedium: &medium, Destination: shape.Ptr(mask(d.value))}
}

// signUpDelivery is where the pool sends the code of a sign-up; false: it verifies nothing that u
// has. A phone number comes before an address, as on AWS.
func (p *Pool) signUpDelivery(u *user) (delivery, bool) {
	for _, a := range [...]string{"phone_number", "email"} {
		if v := u.attrs[a]; v != "" && p.autoVerifies(a) {
			return delivery{a, v}, true
		}
	}
	return delivery{}, false
}

// recoveryDelivery is where the pool sends the code for a forgotten password: a verified address or
// number, in the order of the AccountRecoverySetting.
func (p *Pool) recoveryDelivery(u *user) (delivery, bool) {
	for _, a := range p.recoveryOrder() {
		if v := u.attrs[a]; v != "" && u.attrs[a+"_verified"] == "true" {
			return delivery{a, v}, true
		}
	}
	return delivery{}, false
}

func (p *Pool) recoveryOrder() []string {
	r := p.Config.AccountRecoverySetting
	if r == nil || len(r.RecoveryMechanisms) == 0 {
		return []string{"phone_number", "email"}
	}
	list := slices.Clone(r.RecoveryMechanisms)
	slices.SortFunc(list, func(a, b cognitoidp.RecoveryOptionType) int { return int(a.Priority - b.Priority) })
	var order []string
	for _, m := range list {
		if a, ok := strings.CutPrefix(m.Name, "verified_"); ok {
			order = append(order, a)
		}
	}
	return order
}

// decoyDelivery is what somebody who does not exist is told: where a code would go to a user of that
// name.
func (s *Service) decoyDelivery(p *Pool, name string, order []string) *cognitoidp.CodeDeliveryDetailsType {
	switch {
	case validEmail(name):
		return delivery{"email", name}.details()
	case validPhone(name):
		return delivery{"phone_number", name}.details()
	}
	_, verifier, err := s.credential(p, nil, name)
	if err != nil || len(verifier) < 6 || len(order) == 0 {
		return nil
	}
	letter := func(b byte) string { return string(rune('a' + b%26)) }
	if order[0] == "phone_number" && !slices.Contains(order, "email") {
		return delivery{"phone_number", fmt.Sprintf("+1555000%02d%02d", verifier[2]%100, verifier[3]%100)}.details()
	}
	return delivery{"email", letter(verifier[4]) + "@" + letter(verifier[5])}.details()
}

// sendCode gives u a new code of the kind and puts it in the outbox. At most codesPerHour are sent
// in an hour.
func (s *Service) sendCode(tx *store.Tx, p *Pool, u *user, kind codeKind, to delivery) error {
	c, err := codeOf(tx, u, kind)
	if errors.Is(err, store.ErrNotFound) {
		c, err = &codeRow{}, nil
	}
	if err != nil {
		return err
	}
	return s.sendNextCode(tx, p, u, kind, to, c)
}

// sendNextCode is sendCode where it is known what code u had before; zero: none. A sign-up knows, and
// on PostgreSQL a look at what is not there is what makes concurrent transactions collide.
func (s *Service) sendNextCode(tx *store.Tx, p *Pool, u *user, kind codeKind, to delivery, c *codeRow) error {
	now := tx.Now()
	if now.Sub(c.window) >= codeWindow {
		c.window, c.sent = now, 0
	}
	if c.sent >= codesPerHour {
		return errTooMany()
	}
	code := ident.Code(6)
	c.sent++
	c.tries, c.attribute, c.value, c.expires = 0, to.attribute, to.value, now.Add(kind.ttl())
	c.sealed = s.box.Seal([]byte(code), codeContext(u, kind))
	if err := putCode(tx, u, kind, c); err != nil {
		return err
	}
	return s.outbox.Enqueue(tx, p.codeMessage(u, kind, to, code))
}

func codeContext(u *user, kind codeKind) string {
	return "userpools.code/" + kind.String() + "/" + u.id.String()
}

// spendCode holds a code against the one that u has, and spends it if it is right. The refusal is
// for the caller; a transaction that met one must be committed, for it counts the try.
func (s *Service) spendCode(tx *store.Tx, u *user, kind codeKind, code string) (row *codeRow, refusal, err error) {
	c, err := codeOf(tx, u, kind)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errCodeExpired(), nil
	case err != nil:
		return nil, nil, err
	case c.tries >= codeTries:
		return nil, errTooMany(), nil
	case c.sealed == nil || !tx.Now().Before(c.expires):
		return nil, errCodeExpired(), nil
	}
	want, err := s.box.Open(c.sealed, codeContext(u, kind))
	if err != nil {
		return nil, nil, err
	}
	if subtle.ConstantTimeCompare(want, []byte(code)) != 1 {
		c.tries++
		return nil, errCodeMismatch(), putCode(tx, u, kind, c)
	}
	c.sealed = nil
	return c, nil, putCode(tx, u, kind, c)
}

// withCode runs f in a transaction that spends u's code. u is read anew.
func (s *Service) withCode(ctx context.Context, u *user, kind codeKind, code string, f func(tx *store.Tx, u *user, c *codeRow) error) error {
	var refusal error
	err := s.update(ctx, func(tx *store.Tx) error {
		refusal = nil
		u, err := userByID(tx, u.pool, u.id)
		if errors.Is(err, store.ErrNotFound) {
			return errUserNotFound()
		}
		if err != nil {
			return err
		}
		row, no, err := s.spendCode(tx, u, kind, code)
		if err != nil {
			return err
		}
		if refusal = no; no != nil {
			return nil
		}
		return f(tx, u, row)
	})
	if err != nil {
		return err
	}
	return refusal
}

// The texts that Cognito sends where a pool has none.
const (
	defaultSubject           = "Your verification code"
	defaultSignUpText        = "Your confirmation code is {####}"
	defaultPasswordText      = "Your password reset code is {####}"
	defaultVerifyText        = "Your verification code is {####}"
	defaultSMSText           = "Your verification code is {####}."
	defaultInvitationSubject = "Your temporary password"
	defaultInvitationText    = "Your username is {username} and temporary password is {####}."
)

// codeMessage is the message that carries a code.
func (p *Pool) codeMessage(u *user, kind codeKind, to delivery, code string) message.Message {
	t := p.Config.VerificationMessageTemplate
	if to.attribute != "email" {
		return p.message(u, kind.String(), to, "", first(t.SmsMessage, defaultSMSText), code)
	}
	def := defaultVerifyText
	switch kind {
	case signUpCode:
		def = defaultSignUpText
	case passwordCode:
		def = defaultPasswordText
	}
	return p.message(u, kind.String(), to, first(t.EmailSubject, defaultSubject), first(t.EmailMessage, def), code)
}

// invitation is the message that carries a temporary password.
func (p *Pool) invitation(u *user, to delivery, password string) message.Message {
	t := p.Config.AdminCreateUserConfig.InviteMessageTemplate
	if t == nil {
		t = &cognitoidp.MessageTemplateType{}
	}
	if to.attribute != "email" {
		return p.message(u, "Invitation", to, "", first(t.SMSMessage, defaultInvitationText), password)
	}
	return p.message(u, "Invitation", to, first(t.EmailSubject, defaultInvitationSubject), first(t.EmailMessage, defaultInvitationText), password)
}

// message fills in a template. Mails are HTML, so what goes into them is escaped.
func (p *Pool) message(u *user, kind string, to delivery, subject, body, code string) message.Message {
	// The name that the user knows: the sub means nothing to somebody who signs in by address.
	name := u.username
	for _, a := range p.Config.UsernameAttributes {
		if v := u.attrs[a]; v != "" && (name == u.username || a == "email") {
			name = v
		}
	}
	escape := func(s string) string { return s }
	if to.attribute == "email" {
		escape = html.EscapeString
	}
	m := message.Message{Scope: p.id(), Channel: to.channel(), Kind: kind, Username: u.username, To: to.value, Code: code,
		Subject: strings.NewReplacer("{####}", code, "{username}", name).Replace(subject),
		Body:    strings.NewReplacer("{####}", escape(code), "{username}", escape(name)).Replace(body)}
	if to.attribute == "email" {
		m.From = shape.Val(p.Config.EmailConfiguration.From)
	}
	return m
}

func first(v *string, def string) string {
	if v == nil || *v == "" {
		return def
	}
	return *v
}
