package e2e

import "sync"

// mayMount reports whether this process may mount a file system: root in a
// container often may not.
var mayMount = sync.OnceValue(func() bool { return false })
