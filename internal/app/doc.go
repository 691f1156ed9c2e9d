// Package app puts the program together: it is the only package that names
// implementations (AWS, the simulated AWS, SQLite) and the only one that runs
// for longer than a question.
//
// Open gives what a command needs: configuration, store, cloud. Daemon turns
// the loop: it holds the lease, gives out scopes that are due to passes and
// takes them back, reloads the configuration and answers for its health.
package app
