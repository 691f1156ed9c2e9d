package kinds

// Operations that hooks and messages of workloads need.
const (
	InvokeFunction Operation = "lambda:InvokeFunction"
	PublishMessage Operation = "sns:Publish"
)

// FunctionPermissions and TopicPermissions are what hooks and messages of workloads
// need, on the functions and topics that they name.
var (
	FunctionPermissions = []Permission{{Action: InvokeFunction, For: "call the functions of hooks", Resource: "function:dayshift-*", Optional: true}}
	TopicPermissions    = []Permission{{Action: PublishMessage, For: "send messages about workloads to topics", Resource: "dayshift-*", Optional: true}}
)
