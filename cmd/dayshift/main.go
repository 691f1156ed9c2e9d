// Command dayshift runs cloud resources only when people need them: daemon,
// command line and demo in one program.
package main

import (
	"os"

	"dayshift/internal/cli"

	_ "time/tzdata" // zones must be there on a machine without zoneinfo
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
