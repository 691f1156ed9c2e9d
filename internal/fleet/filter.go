package fleet

// Filter selects resources. See ParseFilter for its text form.
type Filter struct{}
