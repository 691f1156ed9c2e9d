// Package oidc signs people in with OpenID Connect: the authorization code flow with PKCE, as a confidential or a public client.
//
// It guarantees
//   - that an Identity is one that the configured issuer made, for this client, for the very sign-in that this browser began:
//     issuer, audience, expiry, algorithm (RS256 and ES256 alone) and nonce of the ID token are checked, the code is redeemed
//     with the verifier that the sign-in began with, and a sign-in finishes once, within ten minutes;
//   - that nothing is asked of the provider before somebody signs in: a provider that is down keeps nobody from starting the
//     program, and is found again by itself;
//   - that what the provider sends is bounded in size and time;
//   - that a browser is sent nowhere but to the provider's own address and to a path of this server;
//   - that no error tells a secret, a code, a token, or anything else that the provider or the browser sent, but for words of
//     the protocol.
//
// It keeps no person and no session: what a sign-in has to remember travels sealed in the browser's cookie. The key of the
// seal is made with the Provider, so that sign-ins that are under way end with the process, and have to finish at the process
// at which they began.
//
// It expects of its caller a cookie that only this server's answers set, that scripts can not read and that the browser sends
// along when the provider leads it back (SameSite=Lax), that the caller deletes that cookie whatever Finish says, and that it
// begins a new session for the Principal that Finish gives. It expects of the configuration that the issuer is one whose word about groups is to be believed.
package oidc
