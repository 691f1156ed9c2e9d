// Command dayshift runs cloud resources only when people need them: daemon,
// command line and demo in one program.
package main

import (
	"os"
	_ "time/tzdata" // zones must be there on a machine without zoneinfo

	"dayshift/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
