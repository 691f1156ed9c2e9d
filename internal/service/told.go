package service

import (
	"dayshift/internal/config"
	"dayshift/internal/say"
)

// Errors and parts of answers as another process told them, for who asks that one.

// NewInputError says in the words of who was asked that a question can not be answered as it was put.
func NewInputError(text string) *InputError { return &InputError{told{say.Raw(text)}} }

// NewGoneError says in the words of who was asked that there is no such key.
func NewGoneError(text string) *GoneError { return &GoneError{told{say.Raw(text)}} }

// ObjectFaults are what is wrong with an object that is set aside.
type ObjectFaults = config.Faults
