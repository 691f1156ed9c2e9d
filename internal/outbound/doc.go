// Package outbound guards connections to addresses that were written down by
// somebody else than the owner of the machine, or that lead wherever a name
// server says.
//
// A Guard is asked with the address that is connected to, after names are
// resolved and numbers are read, so that no spelling and no second answer of a
// name server gets around it. It only sees that address where the connection
// goes straight to the server: whoever uses it goes through no proxy. The
// cloud's metadata service, link-local and multicast addresses are refused
// whatever the configuration says.
//
// Failure says why there was no answer in words that tell neither the address
// nor anything of what answered.
package outbound
