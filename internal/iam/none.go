package iam

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// There are no SSH keys, signing and server certificates and service-specific credentials here: the
// operations that make them are refused by name. Tools that delete a user or take stock ask for lists of
// them all the same, and an empty one is the truth.

// existing checks the user that a request names, if it names one.
func (s *Service) existing(ctx context.Context, name *string) error {
	who, root, err := s.userOrCaller(ctx, name)
	if err != nil || root {
		return err
	}
	_, err = s.getUser(ctx, who)
	return err
}

func (s *Service) ListSSHPublicKeys(ctx context.Context, in *iam.ListSSHPublicKeysRequest) (*iam.ListSSHPublicKeysResponse, error) {
	return &iam.ListSSHPublicKeysResponse{SSHPublicKeys: []iam.SSHPublicKeyMetadata{}, IsTruncated: shape.Ptr(false)}, s.existing(ctx, in.UserName)
}

func (s *Service) ListSigningCertificates(ctx context.Context, in *iam.ListSigningCertificatesRequest) (*iam.ListSigningCertificatesResponse, error) {
	return &iam.ListSigningCertificatesResponse{Certificates: []iam.SigningCertificate{}, IsTruncated: shape.Ptr(false)}, s.existing(ctx, in.UserName)
}

func (s *Service) ListServiceSpecificCredentials(ctx context.Context, in *iam.ListServiceSpecificCredentialsRequest) (*iam.ListServiceSpecificCredentialsResponse, error) {
	return &iam.ListServiceSpecificCredentialsResponse{ServiceSpecificCredentials: []iam.ServiceSpecificCredentialMetadata{}}, s.existing(ctx, in.UserName)
}

func (s *Service) ListServerCertificates(context.Context, *iam.ListServerCertificatesRequest) (*iam.ListServerCertificatesResponse, error) {
	return &iam.ListServerCertificatesResponse{ServerCertificateMetadataList: []iam.ServerCertificateMetadata{}, IsTruncated: shape.Ptr(false)}, nil
}
