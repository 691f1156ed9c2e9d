// Package calendar answers one question: what does a schedule want at an instant? It turns what people write
// (weekdays "mon-fri", 22:00 to 06:00, Asia/Seoul) into instants, and says at any of them whether a resource should be
// running, stopped or left as it is, which period is the reason, and when that changes next.
package calendar
