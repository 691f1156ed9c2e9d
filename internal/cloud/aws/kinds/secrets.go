package kinds

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// getSecret is the one operation of Secrets Manager that is needed.
const getSecret Operation = "secretsmanager:GetSecretValue"

// SecretPermissions are what reading the credentials of a database needs, where
// the configuration names a secret.
var SecretPermissions = []Permission{
	{Action: getSecret, For: "read the credentials of the database with the table of capacity", Resource: "secret:SECRET_NAME-??????", Optional: true},
}

// Secrets are those of Secrets Manager in a scope.
type Secrets struct {
	Env
	get func(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// OpenSecrets prepares the reading of secrets. It makes no call.
func OpenSecrets(env Env) *Secrets {
	return &Secrets{Env: env, get: secretsmanager.NewFromConfig(env.SDK).GetSecretValue}
}

// Get returns the present text of a secret. One of bytes is no text.
func (s *Secrets) Get(ctx context.Context, id string) (string, error) {
	var text string
	err := s.Read(ctx, getSecret, func(ctx context.Context) error {
		answer, err := s.get(ctx, &secretsmanager.GetSecretValueInput{SecretId: sdk.String(id)})
		if err == nil && answer.SecretString == nil {
			err = errNotTheAnswer("SecretString")
		}
		if err == nil {
			text = *answer.SecretString
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", id, err)
	}
	return text, nil
}
