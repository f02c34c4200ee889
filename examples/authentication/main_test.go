package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `Ada, a clerk     order 7 refunded for Ada, asked by the shop
Eve, a customer  examples.refund: permission_denied: Eve may not refund
an old token     examples.refund: unauthenticated: token has invalid claims: token is expired
a forged token   examples.refund: unauthenticated: token signature is invalid: ed25519: verification error
another user     examples.refund: permission_denied: the user "blog" may not call the queue "examples.refund"
`

func TestOutput(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out bytes.Buffer
	require.NoError(t, run(ctx, &out))
	require.Equal(t, want, out.String())
}

// Tokens of another algorithm, for another audience, and without an end are refused.
func TestVerifier(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	verify := verifier(public)
	person, err := verify(t.Context(), sign(private, "Ada", time.Now().Add(time.Minute), "refund"))
	require.NoError(t, err)
	require.Equal(t, Person{Name: "Ada", Scopes: []string{"refund"}}, person)

	good := jwt.RegisteredClaims{Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, good).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	confused, err := jwt.NewWithClaims(jwt.SigningMethodHS256, good).SignedString([]byte(public))
	require.NoError(t, err)
	elsewhere, endless := good, good
	elsewhere.Audience, endless.ExpiresAt = jwt.ClaimStrings{"stock"}, nil
	foreign, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, elsewhere).SignedString(private)
	require.NoError(t, err)
	eternal, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, endless).SignedString(private)
	require.NoError(t, err)
	for name, token := range map[string]string{"none": unsigned, "HS256": confused, "audience": foreign, "no end": eternal, "garbage": "x"} {
		_, err := verify(t.Context(), token)
		require.Error(t, err, name)
	}
}
