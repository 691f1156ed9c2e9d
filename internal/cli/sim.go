package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"dayshift/internal/app"
)

func simCommand() *cobra.Command {
	var options app.SimOptions
	var addr, limits string
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run a simulated AWS that any client can use",
		Long: `Serves EC2, Auto Scaling, RDS, Redshift, ECS, EKS, SageMaker, CloudWatch's
alarms, Systems Manager, Organizations, SQS and STS, as far as Dayshift uses
them, over their own wire protocols on one address: the aws CLI, boto3 and the
SDKs use it with AWS_ENDPOINT_URL. States take time, token buckets throttle, and
what is not modelled is refused with AWS's own errors.
Any access key of twelve digits acts as that account.

--fleet takes a YAML file, "demo", or ACCOUNTSxREGIONSxRESOURCES for a generated
fleet (100x4x250: 100,000 instances in 400 scopes). GET /_sim/calls shows every call.
It has no authentication: it belongs on loopback.`,
		Example: `  dayshift sim --fleet demo
  AWS_ENDPOINT_URL=http://127.0.0.1:4510 AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=x \
    aws ec2 describe-instances --region ap-northeast-2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch limits {
			case "aws":
				options.Limits = true
			case "off":
			default:
				return usage("--limits %s is unknown: use aws or off", limits)
			}
			sim, err := app.NewSim(options)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return app.ServeSim(cmd.Context(), addr, sim, func(url string) {
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), url)
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "simulated AWS: export AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=any\n", url)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:4510", "where to listen, HOST:PORT; port 0 takes a free one")
	cmd.Flags().StringVar(&options.Fleet, "fleet", "", `what exists: a YAML file, "demo", or ACCOUNTSxREGIONSxRESOURCES (default: nothing)`)
	cmd.Flags().StringVar(&options.Faults, "faults", "", "YAML file of faults to inject")
	cmd.Flags().Float64Var(&options.Speed, "speed", 1, "simulated seconds in a real second")
	cmd.Flags().StringVar(&limits, "limits", "aws", "AWS's request limits: aws or off")
	cmd.Flags().Int64Var(&options.Seed, "seed", 1, "what chance is drawn from")
	return cmd
}
