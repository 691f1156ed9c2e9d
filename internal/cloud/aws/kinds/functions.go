package kinds

// Operations that hooks and messages need.
const (
	InvokeFunction Operation = "lambda:InvokeFunction"
	PublishMessage Operation = "sns:Publish"
	PutEvents      Operation = "events:PutEvents"
)

// FunctionPermissions, TopicPermissions and BusPermissions are what hooks and messages
// need, on the functions, topics and buses that they name.
var (
	FunctionPermissions = []Permission{{Action: InvokeFunction, For: "call the functions of hooks", Resource: "function:dayshift-*", Optional: true}}
	TopicPermissions    = []Permission{{Action: PublishMessage, For: "send messages to topics", Resource: "dayshift-*", Optional: true}}
	BusPermissions      = []Permission{{Action: PutEvents, For: "put messages on event buses", Resource: "event-bus/dayshift-*", Optional: true}}
)
