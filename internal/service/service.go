// Package service is the one thing that surfaces may ask: what runs and what
// is wanted, why, what will happen, and to carry out a pass. It turns the
// stages' values into answers for people and programs, so that a page, a chat,
// a command line and an API give the same one.
package service
