package iam

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// mfaDevice is a virtual MFA device: a program that shows codes after RFC 6238.
type mfaDevice struct {
	Serial  string // its ARN
	Name    string
	Seed    []byte // sealed for seedContext
	User    string // id of the user's document; "" while it is nobody's; rootOwner for the root
	UserID  string
	Created int64
	Enabled int64 // epoch milliseconds; 0: it is nobody's
	Offset  int64 // time steps by which its clock is ahead
	Last    int64 // the newest time step whose code was taken: none is taken twice
	Tags    map[string]string
	Token   string `json:",omitempty"` // of the step of a stack that made it
}

var mfaDevices = store.Kind[mfaDevice]{Name: "iam.mfa"}

// rootOwner stands for the root where users stand by the ids of their documents. No user has such a name.
const rootOwner = ":root"

// devicesOf is the parent of the devices of a user, by the id of its document; "" is nobody.
func devicesOf(user string) string { return "mfa/" + user }

func (d *mfaDevice) key() store.Key {
	return store.Key{ID: d.Serial, Parent: devicesOf(d.User)}
}

func seedContext(serial string) string { return "iam.mfa/" + serial }

func noDevice(serial string) error {
	return iam.NoSuchEntityException("VirtualMFADevice with serial number %s does not exist.", serial)
}

const (
	totpPeriod = 30 // seconds
	totpSkew   = 1  // steps to either side that are taken
	enrolSkew  = 20 // steps to either side that a device's clock may be off when it is enrolled
)

// totp is the six-digit code of a time step (RFC 4226, section 5.3).
func totp(seed []byte, step int64) string {
	h := hmac.New(sha1.New, seed)
	var msg [8]byte
	binary.BigEndian.PutUint64(msg[:], uint64(step))
	h.Write(msg[:])
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// enrol finds two codes, one after the other, near now, and sets the device's clock by them.
func (d *mfaDevice) enrol(seed []byte, now time.Time, first, second string) error {
	step := now.Unix() / totpPeriod
	for off := int64(-enrolSkew); off <= enrolSkew; off++ {
		if same(totp(seed, step+off), first) && same(totp(seed, step+off+1), second) {
			d.Offset, d.Last = off+1, step+off+1
			return nil
		}
	}
	return iam.InvalidAuthenticationCodeException("Authentication code for device is not valid.")
}

// VerifyMFA takes a code of the device with the serial number, which must be the caller's. A code counts
// once. The error is AWS's AccessDenied of GetSessionToken and AssumeRole.
func (s *Service) VerifyMFA(ctx context.Context, c *Caller, serial, code string) error {
	refused := shape.Errorf("AccessDenied", 403, "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	owner := c.owner
	if c.ARN == s.root.ARN {
		owner = rootOwner
	}
	var d *mfaDevice
	err := error(store.ErrNotFound)
	if validText(serial) {
		d, err = mfaDevices.Cached(ctx, s.DB, serial)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && (d.Enabled == 0 || d.User != owner || d.UserID != c.ID) {
		return shape.Errorf("AccessDenied", 403, "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	}
	if err != nil {
		return err
	}
	seed, err := s.Seal.Open(d.Seed, seedContext(serial))
	if err != nil {
		return err
	}
	step := s.Now().Unix()/totpPeriod + d.Offset
	for at := step - totpSkew; at <= step+totpSkew; at++ {
		if !same(totp(seed, at), code) {
			continue
		}
		return s.DB.Update(ctx, func(tx *store.Tx) error {
			d, err := mfaDevices.Get(tx, serial)
			if errors.Is(err, store.ErrNotFound) {
				return refused
			}
			if err != nil {
				return err
			}
			if at <= d.Last {
				return refused
			}
			d.Last = at
			return mfaDevices.Put(tx, d.key(), d)
		})
	}
	return refused
}

func (s *Service) CreateVirtualMFADevice(ctx context.Context, in *iam.CreateVirtualMFADeviceRequest) (*iam.CreateVirtualMFADeviceResponse, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.room(ctx, mfaDevices.Name, devicesOf(""), "VirtualMFADevices", maxMFADevices); err != nil {
		return nil, err
	}
	serial := arn.New("iam", "", s.Account, "mfa"+pathOf(in.Path)+in.VirtualMFADeviceName).String()
	seed := make([]byte, 40) // as long as AWS's
	rand.Read(seed)
	d := &mfaDevice{Serial: serial, Name: in.VirtualMFADeviceName, Seed: s.Seal.Seal(seed, seedContext(serial)), Created: s.Now().UnixMilli(), Tags: tags}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		err := mfaDevices.Insert(tx, d.key(), d)
		if errors.Is(err, store.ErrExists) {
			return iam.EntityAlreadyExistsException("MFADevice entity at the same path and name already exists.")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// A picture of the seed is not made: Base32StringSeed holds the same.
	return &iam.CreateVirtualMFADeviceResponse{VirtualMFADevice: &iam.VirtualMFADevice{
		SerialNumber: serial, Base32StringSeed: []byte(base32.StdEncoding.EncodeToString(seed)), Tags: tagList(tags),
	}}, nil
}

// changeDevice applies f to a device.
func (s *Service) changeDevice(ctx context.Context, serial string, f func(*store.Tx, *mfaDevice) error) error {
	if !validText(serial) {
		return noDevice(serial)
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		d, err := mfaDevices.Get(tx, serial)
		if errors.Is(err, store.ErrNotFound) {
			return noDevice(serial)
		}
		if err != nil {
			return err
		}
		if err := f(tx, d); err != nil {
			return err
		}
		return mfaDevices.Put(tx, d.key(), d)
	})
}

func (s *Service) EnableMFADevice(ctx context.Context, in *iam.EnableMFADeviceRequest) (*iam.EnableMFADeviceResponse, error) {
	err := s.changeDevice(ctx, in.SerialNumber, func(tx *store.Tx, d *mfaDevice) error {
		if d.User != "" {
			return iam.EntityAlreadyExistsException("MFA Device is already in use.")
		}
		owner, id := rootOwner, s.Account
		if !strings.EqualFold(in.UserName, "root") || wire.CallFrom(ctx).Principal != s.root.ARN {
			u, err := users.Get(tx, userKey(in.UserName).ID)
			if errors.Is(err, store.ErrNotFound) {
				return noUser(in.UserName)
			}
			if err != nil {
				return err
			}
			owner, id = userKey(u.Name).ID, u.ID
		}
		have, _, err := mfaDevices.List(tx, devicesOf(owner), "", maxDevicesOfUser)
		if err != nil {
			return err
		}
		if len(have) >= maxDevicesOfUser {
			return iam.LimitExceededException("Cannot exceed quota for MfaDevicesPerUser: %d", maxDevicesOfUser)
		}
		seed, err := s.Seal.Open(d.Seed, seedContext(d.Serial))
		if err != nil {
			return err
		}
		d.User, d.UserID, d.Enabled = owner, id, s.Now().UnixMilli()
		return d.enrol(seed, s.Now(), in.AuthenticationCode1, in.AuthenticationCode2)
	})
	return &iam.EnableMFADeviceResponse{}, err
}

// ofUser tells whether the device is the user's.
func (d *mfaDevice) ofUser(name string) bool { return d.User != "" && d.User == userKey(name).ID }

func (s *Service) ResyncMFADevice(ctx context.Context, in *iam.ResyncMFADeviceRequest) (*iam.ResyncMFADeviceResponse, error) {
	err := s.changeDevice(ctx, in.SerialNumber, func(_ *store.Tx, d *mfaDevice) error {
		if !d.ofUser(in.UserName) {
			return noDevice(in.SerialNumber)
		}
		seed, err := s.Seal.Open(d.Seed, seedContext(d.Serial))
		if err != nil {
			return err
		}
		return d.enrol(seed, s.Now(), in.AuthenticationCode1, in.AuthenticationCode2)
	})
	return &iam.ResyncMFADeviceResponse{}, err
}

func (s *Service) DeactivateMFADevice(ctx context.Context, in *iam.DeactivateMFADeviceRequest) (*iam.DeactivateMFADeviceResponse, error) {
	name, root, err := s.userOrCaller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if root {
		name = rootOwner
	}
	err = s.changeDevice(ctx, in.SerialNumber, func(_ *store.Tx, d *mfaDevice) error {
		if !d.ofUser(name) {
			return noDevice(in.SerialNumber)
		}
		d.User, d.UserID, d.Enabled = "", "", 0
		return nil
	})
	return &iam.DeactivateMFADeviceResponse{}, err
}

func (s *Service) DeleteVirtualMFADevice(ctx context.Context, in *iam.DeleteVirtualMFADeviceRequest) (*iam.DeleteVirtualMFADeviceResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		if !validText(in.SerialNumber) {
			return noDevice(in.SerialNumber)
		}
		d, err := mfaDevices.Get(tx, in.SerialNumber)
		if errors.Is(err, store.ErrNotFound) {
			return noDevice(in.SerialNumber)
		}
		if err != nil {
			return err
		}
		if d.User != "" {
			return iam.DeleteConflictException("Cannot delete entity, must deactivate MFA device first.")
		}
		return mfaDevices.Delete(tx, in.SerialNumber)
	})
	return &iam.DeleteVirtualMFADeviceResponse{}, err
}

func (s *Service) ListMFADevices(ctx context.Context, in *iam.ListMFADevicesRequest) (*iam.ListMFADevicesResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	name, root, err := s.userOrCaller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if root {
		name = rootOwner
	} else if _, err := s.getUser(ctx, name); err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, mfaDevices, devicesOf(userKey(name).ID), w, func(_ *store.Tx, d *mfaDevice) (iam.MFADevice, bool, error) {
		return iam.MFADevice{UserName: strings.TrimPrefix(name, ":"), SerialNumber: d.Serial, EnableDate: timeOf(d.Enabled)}, true, nil
	})
	out := &iam.ListMFADevicesResponse{MFADevices: page}
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

// device returns a device for reading.
func (s *Service) device(ctx context.Context, serial string) (*mfaDevice, error) {
	if !validText(serial) {
		return nil, noDevice(serial)
	}
	d, err := mfaDevices.Cached(ctx, s.DB, serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noDevice(serial)
	}
	return d, err
}

func (s *Service) GetMFADevice(ctx context.Context, in *iam.GetMFADeviceRequest) (*iam.GetMFADeviceResponse, error) {
	d, err := s.device(ctx, in.SerialNumber)
	if err != nil {
		return nil, err
	}
	if in.UserName != nil && !d.ofUser(*in.UserName) {
		return nil, noDevice(in.SerialNumber)
	}
	out := &iam.GetMFADeviceResponse{SerialNumber: d.Serial}
	if d.Enabled != 0 {
		name := strings.TrimPrefix(d.User, ":")
		if u, err := s.getUser(ctx, d.User); err == nil {
			name = u.Name
		} else if !gone(err) {
			return nil, err
		}
		out.UserName, out.EnableDate = &name, timePtr(d.Enabled)
	}
	return out, nil
}

// ListVirtualMFADevices lists those that are nobody's, those that are somebody's, or all.
func (s *Service) ListVirtualMFADevices(ctx context.Context, in *iam.ListVirtualMFADevicesRequest) (*iam.ListVirtualMFADevicesResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	status := shape.Val(in.AssignmentStatus)
	out := &iam.ListVirtualMFADevicesResponse{VirtualMFADevices: []iam.VirtualMFADevice{}}
	next := ""
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT id FROM documents WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3", mfaDevices.Name, w.after, maxScan)
		if err != nil {
			return err
		}
		defer rows.Close()
		out.VirtualMFADevices, next = []iam.VirtualMFADevice{}, ""
		last, seen := "", 0
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if len(out.VirtualMFADevices) == w.limit {
				next = last
				return nil
			}
			d, err := mfaDevices.Get(tx, id)
			if err != nil {
				return err
			}
			if last, seen = id, seen+1; seen == maxScan {
				next = id
			}
			if status == "Assigned" && d.User == "" || status == "Unassigned" && d.User != "" {
				continue
			}
			v := iam.VirtualMFADevice{SerialNumber: d.Serial}
			if d.User != "" && d.User != rootOwner {
				u, err := users.Get(tx, d.User)
				if err != nil {
					return err
				}
				v.User, v.EnableDate = u.shape(false), timePtr(d.Enabled)
			} else if d.User == rootOwner {
				v.User = &iam.User{Path: "/", UserName: "root", UserId: s.Account, Arn: s.root.ARN, CreateDate: timeOf(d.Enabled)}
				v.EnableDate = timePtr(d.Enabled)
			}
			out.VirtualMFADevices = append(out.VirtualMFADevices, v)
		}
		return rows.Err()
	})
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

func (s *Service) TagMFADevice(ctx context.Context, in *iam.TagMFADeviceRequest) (*iam.TagMFADeviceResponse, error) {
	err := s.changeDevice(ctx, in.SerialNumber, func(_ *store.Tx, d *mfaDevice) error { return retag(&d.Tags, in.Tags) })
	return &iam.TagMFADeviceResponse{}, err
}

func (s *Service) UntagMFADevice(ctx context.Context, in *iam.UntagMFADeviceRequest) (*iam.UntagMFADeviceResponse, error) {
	err := s.changeDevice(ctx, in.SerialNumber, func(_ *store.Tx, d *mfaDevice) error { untag(d.Tags, in.TagKeys); return nil })
	return &iam.UntagMFADeviceResponse{}, err
}

func (s *Service) ListMFADeviceTags(ctx context.Context, in *iam.ListMFADeviceTagsRequest) (*iam.ListMFADeviceTagsResponse, error) {
	d, err := s.device(ctx, in.SerialNumber)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListMFADeviceTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(d.Tags, in.Marker, in.MaxItems)
	return out, err
}
