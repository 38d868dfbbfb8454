package userpools

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Pool is the document of a user pool.
type Pool struct {
	No     int64 // stands for the pool in the tables of users
	Region string
	Config cognitoidp.UserPoolType // as DescribeUserPool shows it, less the number of users
	Decoy  []byte                  // sealed: the key of what is made up for names that do not exist
}

var pools = store.Kind[Pool]{Name: "userpools.pool"}

func (p *Pool) id() string { return *p.Config.Id }

// srpName is the pool's name in SRP: the part of its id after the region.
func (p *Pool) srpName() string {
	_, name, _ := strings.Cut(p.id(), "_")
	return name
}

func (p *Pool) passwordPolicy() *cognitoidp.PasswordPolicyType {
	return p.Config.Policies.PasswordPolicy
}

// temporaryValidity is how long a temporary password is good for.
func (p *Pool) temporaryValidity() time.Duration {
	return time.Duration(shape.Val(p.passwordPolicy().TemporaryPasswordValidityDays)) * 24 * time.Hour
}

func (p *Pool) autoVerifies(attribute string) bool {
	return slices.Contains(p.Config.AutoVerifiedAttributes, attribute)
}

// configurePool applies the settings that can be changed to cfg, putting Cognito's default where one
// is absent, and refuses those that this version does not honour.
func configurePool(cfg *cognitoidp.UserPoolType, in *cognitoidp.CreateUserPoolRequest) error {
	if err := refuseUnsupported(in); err != nil {
		return err
	}
	cfg.Name = shape.Ptr(in.PoolName)
	policy, err := passwordPolicy(in.Policies)
	if err != nil {
		return err
	}
	cfg.Policies = &cognitoidp.UserPoolPolicyType{PasswordPolicy: policy,
		SignInPolicy: &cognitoidp.SignInPolicyType{AllowedFirstAuthFactors: []string{"PASSWORD"}}}
	cfg.DeletionProtection = orDefault(in.DeletionProtection, "INACTIVE")
	cfg.LambdaConfig = &cognitoidp.LambdaConfigType{}
	cfg.AutoVerifiedAttributes = in.AutoVerifiedAttributes
	cfg.MfaConfiguration = shape.Ptr("OFF")
	cfg.UserPoolAddOns = in.UserPoolAddOns
	if in.UserPoolTier != nil || cfg.UserPoolTier == nil {
		cfg.UserPoolTier = orDefault(in.UserPoolTier, "ESSENTIALS")
	}
	cfg.UserPoolTags = in.UserPoolTags
	if cfg.UserPoolTags == nil {
		cfg.UserPoolTags = map[string]string{}
	}

	t := cognitoidp.VerificationMessageTemplateType{}
	if in.VerificationMessageTemplate != nil {
		t = *in.VerificationMessageTemplate
	}
	// The same texts have two places; what one says the other shows.
	for _, pair := range [...][2]**string{{&t.EmailMessage, &in.EmailVerificationMessage}, {&t.EmailSubject, &in.EmailVerificationSubject}, {&t.SmsMessage, &in.SmsVerificationMessage}} {
		if *pair[0] == nil {
			*pair[0] = *pair[1]
		}
	}
	t.DefaultEmailOption = orDefault(t.DefaultEmailOption, "CONFIRM_WITH_CODE")
	cfg.VerificationMessageTemplate = &t
	cfg.EmailVerificationMessage, cfg.EmailVerificationSubject, cfg.SmsVerificationMessage = t.EmailMessage, t.EmailSubject, t.SmsMessage
	cfg.SmsAuthenticationMessage = in.SmsAuthenticationMessage

	cfg.UserAttributeUpdateSettings = &cognitoidp.UserAttributeUpdateSettingsType{AttributesRequireVerificationBeforeUpdate: []string{}}
	if in.UserAttributeUpdateSettings != nil && in.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate != nil {
		cfg.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate = in.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate
		for _, a := range in.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate {
			if !slices.Contains(in.AutoVerifiedAttributes, a) {
				return errInvalidParameter("Invalid UserAttributeUpdateSettings: %s must be among the AutoVerifiedAttributes.", a)
			}
		}
	}

	e := cognitoidp.EmailConfigurationType{}
	if in.EmailConfiguration != nil {
		e = *in.EmailConfiguration
	}
	e.EmailSendingAccount = orDefault(e.EmailSendingAccount, "COGNITO_DEFAULT")
	if *e.EmailSendingAccount == "DEVELOPER" && e.SourceArn == nil {
		return errInvalidParameter("Email ARN is required when email sending account is DEVELOPER.")
	}
	cfg.EmailConfiguration = &e
	cfg.SmsConfiguration = in.SmsConfiguration

	a := cognitoidp.AdminCreateUserConfigType{}
	if in.AdminCreateUserConfig != nil {
		a = *in.AdminCreateUserConfig
	}
	a.AllowAdminCreateUserOnly = shape.Ptr(shape.Val(a.AllowAdminCreateUserOnly))
	if days := shape.Val(a.UnusedAccountValidityDays); days != 0 {
		if set := in.Policies; set != nil && set.PasswordPolicy != nil && shape.Val(set.PasswordPolicy.TemporaryPasswordValidityDays) != 0 && *set.PasswordPolicy.TemporaryPasswordValidityDays != days {
			return errInvalidParameter("Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays")
		}
		policy.TemporaryPasswordValidityDays = shape.Ptr(days)
	}
	a.UnusedAccountValidityDays = shape.Ptr(*policy.TemporaryPasswordValidityDays)
	cfg.AdminCreateUserConfig = &a

	if r := in.AccountRecoverySetting; r != nil {
		seen := map[int64]bool{}
		for _, m := range r.RecoveryMechanisms {
			if seen[m.Priority] {
				return errInvalidParameter("Account Recovery Setting: two mechanisms have the same priority.")
			}
			seen[m.Priority] = true
			if m.Name == "admin_only" && len(r.RecoveryMechanisms) > 1 {
				return errInvalidParameter("Account Recovery Setting: admin_only cannot be combined with another mechanism.")
			}
		}
	}
	cfg.AccountRecoverySetting = in.AccountRecoverySetting
	return nil
}

func orDefault(v *string, def string) *string {
	if v == nil {
		return &def
	}
	return shape.Ptr(*v)
}

// passwordPolicy completes a policy: without one, everything is required and 8 characters; in one,
// what is absent is not required.
func passwordPolicy(in *cognitoidp.UserPoolPolicyType) (*cognitoidp.PasswordPolicyType, error) {
	yes := func(v *bool) *bool { return shape.Ptr(shape.Val(v)) }
	p := cognitoidp.PasswordPolicyType{MinimumLength: shape.Ptr[int64](8), RequireUppercase: shape.Ptr(true), RequireLowercase: shape.Ptr(true),
		RequireNumbers: shape.Ptr(true), RequireSymbols: shape.Ptr(true), TemporaryPasswordValidityDays: shape.Ptr[int64](7)}
	if in == nil || in.PasswordPolicy == nil {
		return &p, nil
	}
	q := in.PasswordPolicy
	p.RequireUppercase, p.RequireLowercase, p.RequireNumbers, p.RequireSymbols = yes(q.RequireUppercase), yes(q.RequireLowercase), yes(q.RequireNumbers), yes(q.RequireSymbols)
	if q.MinimumLength != nil {
		p.MinimumLength = q.MinimumLength
	}
	if shape.Val(q.TemporaryPasswordValidityDays) != 0 {
		p.TemporaryPasswordValidityDays = q.TemporaryPasswordValidityDays
	}
	return &p, nil
}

// refuseUnsupported names the first setting that this version would not honour.
func refuseUnsupported(in *cognitoidp.CreateUserPoolRequest) error {
	if in.LambdaConfig != nil {
		if name := firstSet(*in.LambdaConfig); name != "" {
			return errUnsupported("The Lambda trigger " + name + " (LambdaConfig)")
		}
	}
	if m := shape.Val(in.MfaConfiguration); m != "" && m != "OFF" {
		return errUnsupported("MfaConfiguration " + m)
	}
	if d := in.DeviceConfiguration; d != nil {
		return errUnsupported("Device tracking (DeviceConfiguration)")
	}
	if a := in.UserPoolAddOns; a != nil && a.AdvancedSecurityMode != "OFF" {
		return errUnsupported("AdvancedSecurityMode " + a.AdvancedSecurityMode)
	}
	if in.Policies != nil {
		if p := in.Policies.PasswordPolicy; p != nil && shape.Val(p.PasswordHistorySize) > 0 {
			return errUnsupported("PasswordHistorySize")
		}
		if p := in.Policies.SignInPolicy; p != nil {
			for _, f := range p.AllowedFirstAuthFactors {
				if f != "PASSWORD" {
					return errUnsupported("The first authentication factor " + f)
				}
			}
		}
	}
	if t := in.VerificationMessageTemplate; t != nil && shape.Val(t.DefaultEmailOption) == "CONFIRM_WITH_LINK" {
		return errUnsupported("DefaultEmailOption CONFIRM_WITH_LINK")
	}
	switch {
	case in.DcrConfiguration != nil && shape.Val(in.DcrConfiguration.EnableStatus) != "DISABLED":
		return errUnsupported("DcrConfiguration")
	case in.KeyConfiguration != nil && in.KeyConfiguration.KmsKeyArn != nil:
		return errUnsupported("A key of KMS (KeyConfiguration)")
	case in.IssuerConfiguration != nil && shape.Val(in.IssuerConfiguration.Type) != "ORIGINAL":
		return errUnsupported("IssuerConfiguration")
	case len(in.AcrConfiguration) > 0:
		return errUnsupported("AcrConfiguration")
	}
	return nil
}

// firstSet names the first field of a structure that is not its zero value.
func firstSet(v any) string {
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if !r.Field(i).IsZero() {
			return r.Type().Field(i).Name
		}
	}
	return ""
}

// createPool makes a pool with its keys. token, if any, tells tries to make the same pool.
func (s *Service) createPool(ctx context.Context, region string, in *cognitoidp.CreateUserPoolRequest, token string) (*Pool, error) {
	if len(in.AliasAttributes) > 0 && len(in.UsernameAttributes) > 0 {
		return nil, errInvalidParameter("Only one of the aliasAttributes or usernameAttributes can be set in a user pool.")
	}
	id := ident.UserPoolID(region)
	now := s.now().UTC()
	cfg := cognitoidp.UserPoolType{Id: &id, CreationDate: &now, LastModifiedDate: &now,
		Arn:             shape.Ptr(arn.ARN{Partition: "aws", Service: "cognito-idp", Region: region, Account: s.account, Resource: "userpool/" + id}.String()),
		AliasAttributes: in.AliasAttributes, UsernameAttributes: in.UsernameAttributes, UsernameConfiguration: in.UsernameConfiguration}
	if err := configurePool(&cfg, in); err != nil {
		return nil, err
	}
	var err error
	if cfg.SchemaAttributes, err = extendSchema(standardAttributes(), in.Schema, true); err != nil {
		return nil, err
	}
	if slices.Contains(in.AliasAttributes, "preferred_username") {
		for _, a := range cfg.SchemaAttributes {
			if *a.Name == "preferred_username" && *a.Required {
				return nil, errInvalidParameter("preferred_username cannot be both required and an alias.")
			}
		}
	}
	taken, err := s.keys.Take(ctx, idKey, accessKey)
	if err != nil {
		return nil, err
	}
	p := &Pool{Region: region, Config: cfg, Decoy: s.box.Seal([]byte(ident.Random(ident.AlphaNum, 32)), "userpools.decoy/"+id)}
	err = s.update(ctx, func(tx *store.Tx) error {
		no, err := newPoolNumber(tx, id)
		if err != nil {
			return err
		}
		p.No = no
		if err := s.keys.Create(tx, id, taken); err != nil {
			return err
		}
		return pools.Insert(tx, store.Key{ID: id, Parent: region, Name: token}, p)
	})
	return p, err
}

// changePool applies f to a pool.
func (s *Service) changePool(ctx context.Context, id string, f func(*Pool) error) (*Pool, error) {
	if _, err := s.regionPool(ctx, id); err != nil {
		return nil, err
	}
	var p *Pool
	err := s.update(ctx, func(tx *store.Tx) (err error) {
		if p, err = pools.Get(tx, id); errors.Is(err, store.ErrNotFound) {
			return errPoolNotFound(id)
		} else if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
		p.Config.LastModifiedDate = shape.Ptr(tx.Now().UTC())
		return pools.Put(tx, store.Key{ID: id, Parent: p.Region}, p)
	})
	return p, err
}

// updatePool replaces the settings that can be changed; what is absent gets its default, except the
// name and the tier.
func (s *Service) updatePool(ctx context.Context, in *cognitoidp.UpdateUserPoolRequest) error {
	_, err := s.changePool(ctx, in.UserPoolId, func(p *Pool) error {
		return configurePool(&p.Config, &cognitoidp.CreateUserPoolRequest{
			PoolName: shape.Val(orDefault(in.PoolName, *p.Config.Name)), Policies: in.Policies, DeletionProtection: in.DeletionProtection,
			LambdaConfig: in.LambdaConfig, AutoVerifiedAttributes: in.AutoVerifiedAttributes,
			SmsVerificationMessage: in.SmsVerificationMessage, EmailVerificationMessage: in.EmailVerificationMessage,
			EmailVerificationSubject: in.EmailVerificationSubject, VerificationMessageTemplate: in.VerificationMessageTemplate,
			SmsAuthenticationMessage: in.SmsAuthenticationMessage, MfaConfiguration: in.MfaConfiguration,
			UserAttributeUpdateSettings: in.UserAttributeUpdateSettings, DeviceConfiguration: in.DeviceConfiguration,
			EmailConfiguration: in.EmailConfiguration, SmsConfiguration: in.SmsConfiguration, UserPoolTags: in.UserPoolTags,
			AdminCreateUserConfig: in.AdminCreateUserConfig, UserPoolAddOns: in.UserPoolAddOns, DcrConfiguration: in.DcrConfiguration,
			AccountRecoverySetting: in.AccountRecoverySetting, UserPoolTier: in.UserPoolTier, KeyConfiguration: in.KeyConfiguration,
			IssuerConfiguration: in.IssuerConfiguration, AcrConfiguration: in.AcrConfiguration,
		})
	})
	return err
}

// deletePool removes a pool with its clients, users, keys and messages.
func (s *Service) deletePool(ctx context.Context, id string) error {
	if _, err := s.regionPool(ctx, id); err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		p, err := pools.Get(tx, id)
		if errors.Is(err, store.ErrNotFound) {
			return errPoolNotFound(id)
		}
		if err != nil {
			return err
		}
		if shape.Val(p.Config.DeletionProtection) == "ACTIVE" {
			return errInvalidParameter("The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.")
		}
		if err := deletePoolRows(tx, p.No); err != nil {
			return err
		}
		if _, err := clients.DeleteAll(tx, id); err != nil {
			return err
		}
		if err := s.keys.Delete(tx, id); err != nil {
			return err
		}
		if err := s.outbox.DeleteScope(tx, id); err != nil {
			return err
		}
		return pools.Delete(tx, id)
	})
}
