package userpools

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
)

func TestCheckIDToken(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
		for _, revocable := range []bool{true, false} {
			client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{EnableTokenRevocation: &revocable})
			user := "ann"
			if !revocable {
				user = "bob"
			}
			f.confirmed(pool, client, user)
			signIn := func() map[string]any {
				return claimsOf(t, *must(f.signIn(client, user, goodPassword))(t).AuthenticationResult.IdToken)
			}
			claims := signIn()
			if err := f.CheckIDToken(f.ctx, pool, claims); err != nil {
				t.Fatal(err)
			}
			other := f.newPool(cognitoidp.CreateUserPoolRequest{})
			wantErr(t, f.CheckIDToken(f.ctx, other, claims), "NotAuthorizedException: User does not exist.")
			wantErr(t, f.CheckIDToken(f.ctx, "eu-central-1_abcdefghi", claims), "NotAuthorizedException: User pool eu-central-1_abcdefghi does not exist.")
			wantErr(t, f.CheckIDToken(f.ctx, pool, map[string]any{"sub": claims["sub"]}), "NotAuthorizedException: Token has been revoked")

			must(f.AdminUserGlobalSignOut(f.ctx, &cognitoidp.AdminUserGlobalSignOutRequest{UserPoolId: pool, Username: user}))(t)
			wantErr(t, f.CheckIDToken(f.ctx, pool, claims), "NotAuthorizedException: Token has been revoked")
			claims = signIn()
			must(f.AdminDisableUser(f.ctx, &cognitoidp.AdminDisableUserRequest{UserPoolId: pool, Username: user}))(t)
			wantErr(t, f.CheckIDToken(f.ctx, pool, claims), "NotAuthorizedException: User is disabled.")
			must(f.AdminEnableUser(f.ctx, &cognitoidp.AdminEnableUserRequest{UserPoolId: pool, Username: user}))(t)
			claims = signIn()
			must(f.AdminDeleteUser(f.ctx, &cognitoidp.AdminDeleteUserRequest{UserPoolId: pool, Username: user}))(t)
			wantErr(t, f.CheckIDToken(f.ctx, pool, claims), "NotAuthorizedException: User does not exist.")
		}
	})
}
