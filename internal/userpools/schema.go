package userpools

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

const (
	maxCustomAttributes = 50
	maxAttributeLength  = 2048
)

// standardAttributes are the attributes that every pool has, as DescribeUserPool lists them.
// https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
func standardAttributes() []cognitoidp.SchemaAttributeType {
	text := func(name, minLength, maxLength string) cognitoidp.SchemaAttributeType {
		return cognitoidp.SchemaAttributeType{Name: &name, AttributeDataType: shape.Ptr("String"), DeveloperOnlyAttribute: shape.Ptr(false),
			Mutable: shape.Ptr(true), Required: shape.Ptr(false),
			StringAttributeConstraints: &cognitoidp.StringAttributeConstraintsType{MinLength: &minLength, MaxLength: &maxLength}}
	}
	flag := func(name string) cognitoidp.SchemaAttributeType {
		return cognitoidp.SchemaAttributeType{Name: &name, AttributeDataType: shape.Ptr("Boolean"), DeveloperOnlyAttribute: shape.Ptr(false),
			Mutable: shape.Ptr(true), Required: shape.Ptr(false)}
	}
	sub := text("sub", "1", "2048")
	sub.Mutable, sub.Required = shape.Ptr(false), shape.Ptr(true)
	identities := text("identities", "", "")
	identities.StringAttributeConstraints = &cognitoidp.StringAttributeConstraintsType{}
	list := []cognitoidp.SchemaAttributeType{sub}
	for _, name := range []string{"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "email"} {
		list = append(list, text(name, "0", "2048"))
	}
	return append(list, flag("email_verified"), text("gender", "0", "2048"), text("birthdate", "10", "10"), text("zoneinfo", "0", "2048"),
		text("locale", "0", "2048"), text("phone_number", "0", "2048"), flag("phone_number_verified"), text("address", "0", "2048"),
		cognitoidp.SchemaAttributeType{Name: shape.Ptr("updated_at"), AttributeDataType: shape.Ptr("Number"), DeveloperOnlyAttribute: shape.Ptr(false),
			Mutable: shape.Ptr(true), Required: shape.Ptr(false), NumberAttributeConstraints: &cognitoidp.NumberAttributeConstraintsType{MinValue: shape.Ptr("0")}},
		identities)
}

// extendSchema applies a pool's Schema, or the argument of AddCustomAttributes, to its attributes.
// A standard name changes that attribute, where standard ones may be changed; any other is custom.
func extendSchema(list []cognitoidp.SchemaAttributeType, add []cognitoidp.SchemaAttributeType, standardToo bool) ([]cognitoidp.SchemaAttributeType, error) {
	list = slices.Clone(list)
	custom := 0
	for i := range list {
		if strings.Contains(shape.Val(list[i].Name), ":") {
			custom++
		}
	}
	for _, a := range add {
		name := shape.Val(a.Name)
		if name == "" {
			return nil, errInvalidParameter("Attribute name is required.")
		}
		at := slices.IndexFunc(list, func(e cognitoidp.SchemaAttributeType) bool { return *e.Name == name })
		if at >= 0 && standardToo && !strings.Contains(name, ":") {
			if err := overrideStandard(&list[at], &a); err != nil {
				return nil, err
			}
			continue
		}
		kind := shape.Val(a.AttributeDataType)
		if kind == "" {
			return nil, errInvalidParameter("Invalid AttributeDataType input, consider using the provided AttributeDataType enum.")
		}
		if shape.Val(a.Required) {
			return nil, errInvalidParameter("Required custom attributes are not supported currently.")
		}
		full := "custom:" + strings.TrimPrefix(name, "custom:")
		if shape.Val(a.DeveloperOnlyAttribute) {
			full = "dev:" + full
		}
		if slices.ContainsFunc(list, func(e cognitoidp.SchemaAttributeType) bool { return *e.Name == full }) {
			return nil, errInvalidParameter("%s: Existing attribute already has name %s.", full, full)
		}
		if custom++; custom > maxCustomAttributes {
			return nil, errInvalidParameter("A user pool can have at most %d custom attributes.", maxCustomAttributes)
		}
		n := cognitoidp.SchemaAttributeType{Name: &full, AttributeDataType: &kind, Required: shape.Ptr(false),
			DeveloperOnlyAttribute: shape.Ptr(shape.Val(a.DeveloperOnlyAttribute)), Mutable: shape.Ptr(a.Mutable == nil || *a.Mutable)}
		switch kind {
		case "String":
			n.StringAttributeConstraints = &cognitoidp.StringAttributeConstraintsType{}
			if a.StringAttributeConstraints != nil {
				*n.StringAttributeConstraints = *a.StringAttributeConstraints
			}
		case "Number":
			n.NumberAttributeConstraints = &cognitoidp.NumberAttributeConstraintsType{}
			if a.NumberAttributeConstraints != nil {
				*n.NumberAttributeConstraints = *a.NumberAttributeConstraints
			}
		}
		if err := checkConstraints(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

func overrideStandard(to, a *cognitoidp.SchemaAttributeType) error {
	name := *to.Name
	switch name {
	case "sub", "identities", "email_verified", "phone_number_verified":
		return errInvalidParameter("Attribute %s cannot be changed.", name)
	}
	if a.AttributeDataType != nil && *a.AttributeDataType != *to.AttributeDataType {
		return errInvalidParameter("You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute %s", name)
	}
	if shape.Val(a.DeveloperOnlyAttribute) {
		return errInvalidParameter("You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute %s", name)
	}
	if a.Required != nil {
		to.Required = a.Required
	}
	if a.Mutable != nil {
		to.Mutable = a.Mutable
	}
	if a.StringAttributeConstraints != nil && to.StringAttributeConstraints != nil {
		c := *to.StringAttributeConstraints
		if a.StringAttributeConstraints.MinLength != nil {
			c.MinLength = a.StringAttributeConstraints.MinLength
		}
		if a.StringAttributeConstraints.MaxLength != nil {
			c.MaxLength = a.StringAttributeConstraints.MaxLength
		}
		to.StringAttributeConstraints = &c
	}
	if a.NumberAttributeConstraints != nil && to.NumberAttributeConstraints != nil {
		to.NumberAttributeConstraints = a.NumberAttributeConstraints
	}
	return checkConstraints(to)
}

// checkConstraints refuses bounds that are no numbers.
func checkConstraints(a *cognitoidp.SchemaAttributeType) error {
	var bounds []*string
	if c := a.StringAttributeConstraints; c != nil {
		bounds = append(bounds, c.MinLength, c.MaxLength)
	}
	if c := a.NumberAttributeConstraints; c != nil {
		bounds = append(bounds, c.MinValue, c.MaxValue)
	}
	var nums [2]int64
	for i, b := range bounds {
		if shape.Val(b) == "" {
			continue
		}
		n, err := strconv.ParseInt(*b, 10, 64)
		if err != nil {
			return errInvalidParameter("Invalid constraint %s for attribute %s.", *b, *a.Name)
		}
		nums[i%2] = n
		if i%2 == 1 && shape.Val(bounds[i-1]) != "" && nums[0] > nums[1] {
			return errInvalidParameter("Invalid constraints for attribute %s: the minimum exceeds the maximum.", *a.Name)
		}
	}
	return nil
}

// attribute returns the schema of an attribute; nil: the pool has no such attribute.
func (p *Pool) attribute(name string) *cognitoidp.SchemaAttributeType {
	for i := range p.Config.SchemaAttributes {
		if *p.Config.SchemaAttributes[i].Name == name {
			return &p.Config.SchemaAttributes[i]
		}
	}
	return nil
}

// schemaPath is the name under which Cognito's schema messages know an attribute.
func schemaPath(name string) string {
	switch name {
	case "name":
		return "name.formatted"
	case "given_name":
		return "name.givenName"
	case "family_name":
		return "name.familyName"
	case "middle_name":
		return "name.middleName"
	case "email":
		return "emails"
	case "phone_number":
		return "phoneNumbers"
	}
	return name
}

// checkValue holds one value against the attribute's type and bounds; the result is a complaint.
func checkValue(a *cognitoidp.SchemaAttributeType, value string) string {
	switch *a.AttributeDataType {
	case "Boolean":
		if value != "true" && value != "false" {
			return "Attribute value must be either true or false."
		}
	case "Number":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "Attribute value must be a number."
		}
		if c := a.NumberAttributeConstraints; c != nil {
			if lo, err := strconv.ParseInt(shape.Val(c.MinValue), 10, 64); err == nil && n < lo {
				return "Number must not be smaller than " + *c.MinValue
			}
			if hi, err := strconv.ParseInt(shape.Val(c.MaxValue), 10, 64); err == nil && n > hi {
				return "Number must not be larger than " + *c.MaxValue
			}
		}
	case "DateTime":
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "Attribute value must be a date and time."
		}
	default:
		n := int64(len([]rune(value)))
		lo, hi := int64(0), int64(maxAttributeLength)
		if c := a.StringAttributeConstraints; c != nil {
			if v, err := strconv.ParseInt(shape.Val(c.MinLength), 10, 64); err == nil {
				lo = v
			}
			if v, err := strconv.ParseInt(shape.Val(c.MaxLength), 10, 64); err == nil {
				hi = min(hi, v)
			}
		}
		if n < lo {
			return "String must be at least " + strconv.FormatInt(lo, 10) + " characters long"
		}
		if n > hi {
			return "String must be no longer than " + strconv.FormatInt(hi, 10) + " characters"
		}
	}
	return ""
}

// attributeWriter is who sets attributes: what one may, another may not.
type attributeWriter struct {
	client *Client // nil: an administrator
	update bool    // of an existing user, as against sign-up
}

// setAttributes checks changes and applies them to u. An empty value removes an attribute.
func (p *Pool) setAttributes(u *user, changes []cognitoidp.AttributeType, w attributeWriter) error {
	prefix := "Attributes did not conform to the schema: "
	path := ""
	if w.update {
		prefix, path = "", "user."
	}
	var complaints strings.Builder
	complain := func(name, why string) {
		complaints.WriteString(path + name + ": " + why + "\n")
	}
	for _, c := range changes {
		value := shape.Val(c.Value)
		a := p.attribute(c.Name)
		switch {
		case a == nil:
			complain(c.Name, "Attribute does not exist in the schema.")
			continue
		case c.Name == "sub":
			return errInvalidParameter("Cannot modify the non-mutable attribute sub")
		case c.Name == "identities":
			return errInvalidParameter("Cannot modify the attribute identities")
		}
		if w.client != nil && !p.mayWrite(w.client, a) {
			return cognitoidp.NotAuthorizedException("A client attempted to write unauthorized attribute")
		}
		if w.update && !shape.Val(a.Mutable) {
			complain(c.Name, "Attribute cannot be updated.")
			continue
		}
		if value == "" {
			if w.update && shape.Val(a.Required) {
				complain(c.Name, "Required attribute cannot be deleted.")
				continue
			}
			u.removeAttribute(c.Name)
			continue
		}
		switch c.Name {
		case "email":
			if !validEmail(value) {
				return errInvalidParameter("Invalid email address format.")
			}
		case "phone_number":
			if !validPhone(value) {
				return errInvalidParameter("Invalid phone number format.")
			}
		}
		if why := checkValue(a, value); why != "" {
			complain(schemaPath(c.Name), why)
			continue
		}
		u.setAttribute(c.Name, value)
	}
	if complaints.Len() > 0 {
		return errInvalidParameter("%s%s", prefix, complaints.String())
	}
	// Whether an address is verified is said after the address is set, in whatever order they came.
	for _, c := range changes {
		if (c.Name == "email_verified" || c.Name == "phone_number_verified") && shape.Val(c.Value) != "" {
			u.attrs[c.Name] = *c.Value
		}
	}
	return nil
}

// missingAttributes are the required attributes that u lacks.
func (p *Pool) missingAttributes(u *user) []string {
	var names []string
	for i := range p.Config.SchemaAttributes {
		a := &p.Config.SchemaAttributes[i]
		if shape.Val(a.Required) && *a.Name != "sub" && u.attrs[*a.Name] == "" {
			names = append(names, *a.Name)
		}
	}
	return names
}

// checkRequired refuses a sign-up that lacks a required attribute.
func (p *Pool) checkRequired(u *user) error {
	var b strings.Builder
	for _, name := range p.missingAttributes(u) {
		b.WriteString(schemaPath(name) + ": The attribute " + schemaPath(name) + " is required\n")
	}
	if b.Len() == 0 {
		return nil
	}
	return errInvalidParameter("Attributes did not conform to the schema: %s", b.String())
}

// mayWrite reports whether the client's users may set the attribute. Without WriteAttributes that is
// every one but those only administrators set.
func (p *Pool) mayWrite(c *Client, a *cognitoidp.SchemaAttributeType) bool {
	name := *a.Name
	if name == "email_verified" || name == "phone_number_verified" || shape.Val(a.DeveloperOnlyAttribute) {
		return false
	}
	return c.Config.WriteAttributes == nil || slices.Contains(c.Config.WriteAttributes, name)
}

// mayRead reports whether the client sees the attribute.
func (c *Client) mayRead(name string) bool {
	if name == "sub" {
		return true
	}
	if strings.HasPrefix(name, "dev:") {
		return false
	}
	return c.Config.ReadAttributes == nil || slices.Contains(c.Config.ReadAttributes, name)
}
