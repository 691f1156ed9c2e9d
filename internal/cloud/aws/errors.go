package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// codes translates AWS's error codes. A code that is not here is judged by its
// prefix or its HTTP status.
//
// EC2: https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
// RDS: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html and
// the errors of API_StartDBInstance and API_StopDBInstance
// Auto Scaling: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
// ECS: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
// EKS: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateNodegroupConfig.html
// Application Auto Scaling: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
// Organizations: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
// Redshift: https://docs.aws.amazon.com/redshift/latest/APIReference/API_ResumeCluster.html
// Elastic Load Balancing: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
// SageMaker: https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
// Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
// STS: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var codes = map[string]error{
	// Too many calls. EC2 says RequestLimitExceeded, RDS Throttling or
	// ThrottlingException, other services the rest.
	"RequestLimitExceeded":                   cloud.ErrThrottled,
	"RequestThrottled":                       cloud.ErrThrottled,
	"RequestThrottledException":              cloud.ErrThrottled,
	"ThrottledException":                     cloud.ErrThrottled,
	"Throttling":                             cloud.ErrThrottled,
	"ThrottlingException":                    cloud.ErrThrottled,
	"TooManyRequestsException":               cloud.ErrThrottled,
	"RateExceeded":                           cloud.ErrThrottled,
	"DependentServiceRequestThrottlingFault": cloud.ErrThrottled,
	"SlowDown":                               cloud.ErrThrottled,
	"PriorRequestNotComplete":                cloud.ErrThrottled,
	"EC2ThrottledException":                  cloud.ErrThrottled,
	"BandwidthLimitExceeded":                 cloud.ErrThrottled,
	"ProvisionedThroughputExceededException": cloud.ErrThrottled,

	// No such machine now. Quotas of the account are here too: the same start
	// may pass when something else stops.
	"InsufficientInstanceCapacity":         cloud.ErrInsufficientCapacity,
	"InsufficientHostCapacity":             cloud.ErrInsufficientCapacity,
	"InsufficientReservedInstanceCapacity": cloud.ErrInsufficientCapacity,
	"InsufficientCapacity":                 cloud.ErrInsufficientCapacity,
	"InsufficientCapacityOnHost":           cloud.ErrInsufficientCapacity,
	"InsufficientAddressCapacity":          cloud.ErrInsufficientCapacity,
	"InsufficientFreeAddressesInSubnet":    cloud.ErrInsufficientCapacity,
	"ResourceLimitExceeded":                cloud.ErrInsufficientCapacity, // SageMaker's quota of notebook instances of a type
	"ReservationCapacityExceeded":          cloud.ErrInsufficientCapacity,
	"SpotMaxPriceTooLow":                   cloud.ErrInsufficientCapacity,
	"MaxSpotInstanceCountExceeded":         cloud.ErrInsufficientCapacity,
	"InstanceLimitExceeded":                cloud.ErrQuota,
	"VcpuLimitExceeded":                    cloud.ErrQuota,
	"HostLimitExceeded":                    cloud.ErrQuota,
	"InsufficientDBInstanceCapacity":       cloud.ErrInsufficientCapacity,
	"InsufficientDBInstanceCapacityFault":  cloud.ErrInsufficientCapacity,
	"InsufficientDBClusterCapacityFault":   cloud.ErrInsufficientCapacity,
	"InsufficientStorageClusterCapacity":   cloud.ErrInsufficientCapacity,
	"StorageQuotaExceeded":                 cloud.ErrInsufficientCapacity,
	"StorageQuotaExceededFault":            cloud.ErrInsufficientCapacity,
	"InstanceQuotaExceeded":                cloud.ErrInsufficientCapacity,
	"InstanceQuotaExceededFault":           cloud.ErrInsufficientCapacity,

	// Gone, or never there.
	"InvalidInstanceID.NotFound":            cloud.ErrNotFound,
	"InvalidInstanceID.Malformed":           cloud.ErrNotFound,
	"InvalidInstanceId.NotFound":            cloud.ErrNotFound,
	"DBInstanceNotFound":                    cloud.ErrNotFound,
	"DBInstanceNotFoundFault":               cloud.ErrNotFound,
	"DBClusterNotFoundFault":                cloud.ErrNotFound,
	"ServiceNotFoundException":              cloud.ErrNotFound,
	"ClusterNotFoundException":              cloud.ErrNotFound,
	"ResourceNotFoundException":             cloud.ErrNotFound,
	"ObjectNotFoundException":               cloud.ErrNotFound,
	"NotFoundException":                     cloud.ErrNotFound,
	"ClusterNotFound":                       cloud.ErrNotFound,
	"ClusterNotFoundFault":                  cloud.ErrNotFound,
	"ResourceNotFoundFault":                 cloud.ErrNotFound,
	"DBSubnetGroupNotFoundFault":            cloud.ErrWrongState, // the database is there, what it needs is not
	"DBSnapshotNotFound":                    cloud.ErrNotFound,
	"DBSnapshotNotFoundFault":               cloud.ErrNotFound,
	"DBClusterSnapshotNotFoundFault":        cloud.ErrNotFound,
	"InvalidCapacityReservationId.NotFound": cloud.ErrNotFound,
	"InvalidVolume.NotFound":                cloud.ErrWrongState, // the instance is there, its volume is not
	"InvalidVolumeID.NotFound":              cloud.ErrWrongState,
	"InvalidNetworkInterfaceID.NotFound":    cloud.ErrWrongState,

	// Not now, in this state.
	"IncorrectInstanceState":              cloud.ErrWrongState,
	"IncorrectState":                      cloud.ErrWrongState,
	"InvalidCapacityReservationState":     cloud.ErrWrongState,
	"ServiceNotActiveException":           cloud.ErrWrongState,
	"UpdateInProgressException":           cloud.ErrWrongState,
	"ResourceInUseException":              cloud.ErrWrongState, // EKS: another update runs
	"InvalidRequestException":             cloud.ErrWrongState, // EKS: in the cluster's present state
	"IncorrectSpotRequestState":           cloud.ErrWrongState,
	"InvalidState":                        cloud.ErrWrongState,
	"InvalidHostState":                    cloud.ErrWrongState,
	"InvalidDBInstanceState":              cloud.ErrWrongState,
	"InvalidDBInstanceStateFault":         cloud.ErrWrongState,
	"InvalidClusterState":                 cloud.ErrWrongState, // Redshift; also where "there is an operation running on the cluster", which no listing shows
	"InvalidClusterStateFault":            cloud.ErrWrongState,
	"InvalidDBSnapshotState":              cloud.ErrWrongState,
	"InvalidDBSnapshotStateFault":         cloud.ErrWrongState,
	"InvalidDBClusterSnapshotStateFault":  cloud.ErrWrongState,
	"DBSnapshotAlreadyExists":             cloud.ErrWrongState,
	"DBSnapshotAlreadyExistsFault":        cloud.ErrWrongState,
	"DBClusterSnapshotAlreadyExistsFault": cloud.ErrWrongState,
	"SnapshotQuotaExceeded":               cloud.ErrUnsupported, // the account has as many as it may: a person has to make room
	"SnapshotQuotaExceededFault":          cloud.ErrUnsupported,
	"VolumeInUse":                         cloud.ErrWrongState,
	"VolumeModificationInProgress":        cloud.ErrWrongState,
	"InvalidVPCNetworkStateFault":         cloud.ErrWrongState,
	"InvalidSubnet":                       cloud.ErrWrongState,
	"KMSKeyNotAccessibleFault":            cloud.ErrWrongState,
	"KMSKeyNotAccessible":                 cloud.ErrWrongState,
	"DBUpgradeDependencyFailure":          cloud.ErrWrongState,
	"DBUpgradeDependencyFailureFault":     cloud.ErrWrongState,

	// Never, for this resource.
	"UnsupportedOperation":                cloud.ErrUnsupported,
	"Unsupported":                         cloud.ErrUnsupported,
	"UnsupportedInstanceAttribute":        cloud.ErrUnsupported,
	"UnsupportedHibernationConfiguration": cloud.ErrUnsupported,
	"UnsupportedHostConfiguration":        cloud.ErrUnsupported,
	"InvalidInstanceType":                 cloud.ErrUnsupported,
	"InvalidInstanceAttributeValue":       cloud.ErrUnsupported,
	"InvalidDBClusterStateFault":          cloud.ErrUnsupported, // a member of a cluster is not stopped singly; of a cluster see translate
	"InvalidDBClusterState":               cloud.ErrUnsupported,
	"OperationNotPermitted":               cloud.ErrProtected, // stop protection, termination protection

	// The client token stands for another order.
	"IdempotentParameterMismatch": cloud.ErrInvalid,

	// The role may not.
	"UnauthorizedOperation": cloud.ErrUnauthorized,
	"AccessDenied":          cloud.ErrUnauthorized,
	"AccessDeniedException": cloud.ErrUnauthorized,
	"ForbiddenException":    cloud.ErrUnauthorized, // of Resource Groups
	"DecryptionFailure":     cloud.ErrUnauthorized, // Secrets Manager: the key of a secret may not be used

	// Who are you? In a region that is not enabled EC2 says AuthFailure and others
	// InvalidClientTokenId: there the account's keys are not known. Credentials are
	// found good by STS before anything else is called, so that is what it means.
	"InvalidClientTokenId":        cloud.ErrRegionDisabled,
	"UnrecognizedClientException": cloud.ErrRegionDisabled,
	"AuthFailure":                 cloud.ErrRegionDisabled,
	"OptInRequired":               cloud.ErrRegionDisabled,
	"RegionDisabledException":     cloud.ErrRegionDisabled,
	"SubscriptionRequired":        cloud.ErrRegionDisabled,
	"PendingVerification":         cloud.ErrRegionDisabled,
	"InvalidAccessKeyId":          cloud.ErrCredentials,
	"MissingAuthenticationToken":  cloud.ErrCredentials,
	"SignatureDoesNotMatch":       cloud.ErrCredentials,
	"InvalidSignatureException":   cloud.ErrCredentials, // the same, of services that speak JSON
	"IncompleteSignature":         cloud.ErrCredentials,
	"InvalidSecurity":             cloud.ErrCredentials,
	"Blocked":                     cloud.ErrCredentials,
	"InvalidIdentityToken":        cloud.ErrCredentials,
	"IDPCommunicationError":       cloud.ErrTransient,
	"ExpiredToken":                cloud.ErrCredentials,
	"ExpiredTokenException":       cloud.ErrCredentials,
	"RequestExpired":              cloud.ErrCredentials, // its time is too far from AWS's: the clock of the machine, or an old session
	"RequestTimeTooSkewed":        cloud.ErrCredentials,
	"PackedPolicyTooLarge":        cloud.ErrCredentials,

	// It may pass next time.
	"InternalError": cloud.ErrTransient,
	// Auto Scaling is busy with the group, or with the role it works with; nothing was done.
	"ScalingActivityInProgress":        cloud.ErrTransient,
	"ScalingActivityInProgressFault":   cloud.ErrTransient,
	"ResourceContention":               cloud.ErrTransient,
	"ResourceContentionFault":          cloud.ErrTransient,
	"ServiceLinkedRoleFailure":         cloud.ErrTransient,
	"InternalFailure":                  cloud.ErrTransient,
	"InternalServerError":              cloud.ErrTransient,
	"ServerInternal":                   cloud.ErrTransient,
	"ServiceUnavailable":               cloud.ErrTransient,
	"Unavailable":                      cloud.ErrTransient,
	"RequestTimeout":                   cloud.ErrTransient,
	"UnknownError":                     cloud.ErrTransient, // what the SDK calls an error document without a code
	"InvalidNextToken":                 cloud.ErrTransient, // a page token that grew old: the listing is begun again
	"InvalidPaginationToken":           cloud.ErrTransient,
	"PaginationTokenExpiredException":  cloud.ErrTransient,
	"InvalidNextTokenException":        cloud.ErrTransient,
	"ConcurrentUpdateException":        cloud.ErrTransient, // something else changes the same target just now
	"InternalServiceException":         cloud.ErrTransient,
	"InternalServiceError":             cloud.ErrTransient, // of Secrets Manager
	"DependentServiceUnavailable":      cloud.ErrTransient,
	"DependentServiceUnavailableFault": cloud.ErrTransient,
	"ServerException":                  cloud.ErrTransient,
	"ServiceException":                 cloud.ErrTransient, // of Organizations

	// Of Elastic Load Balancing, both versions of its API.
	"TargetGroupNotFound":             cloud.ErrNotFound,
	"LoadBalancerNotFound":            cloud.ErrNotFound,
	"AccessPointNotFound":             cloud.ErrNotFound,   // the same, as Classic load balancers' API calls it
	"InvalidTarget":                   cloud.ErrWrongState, // an instance that does not run, or in another VPC
	"InvalidInstance":                 cloud.ErrWrongState,
	"InvalidEndPoint":                 cloud.ErrWrongState, // the same
	"TooManyTargets":                  cloud.ErrUnsupported,
	"TooManyRegistrationsForTargetId": cloud.ErrUnsupported,
	"HealthUnavailable":               cloud.ErrTransient,
	"DependencyThrottle":              cloud.ErrThrottled,

	// Of Lambda.
	"ResourceNotReadyException": cloud.ErrTransient, // it is being woken up

	// Of SNS.
	"NotFound":           cloud.ErrNotFound,
	"AuthorizationError": cloud.ErrUnauthorized,
	"Throttled":          cloud.ErrThrottled,
	"KMSThrottling":      cloud.ErrThrottled, // of the key of an encrypted topic
	"KMSAccessDenied":    cloud.ErrUnauthorized,
	"KMSNotFound":        cloud.ErrWrongState, // the topic is there, its key is not
	"KMSDisabled":        cloud.ErrWrongState,
	"KMSInvalidState":    cloud.ErrWrongState,

	// Of EventBridge, of single events.
	"InternalException": cloud.ErrTransient,
	"MalformedDetail":   cloud.ErrInvalid,
	"InvalidArgument":   cloud.ErrInvalid,

	// Of Run Command.
	"InvalidInstanceId":       cloud.ErrWrongState, // it does not run, or has no agent
	"InvalidCommandId":        cloud.ErrNotFound,
	"InvocationDoesNotExist":  cloud.ErrNotFound,
	"UnsupportedPlatformType": cloud.ErrUnsupported,

	// Of Organizations.
	"ParentNotFoundException":            cloud.ErrNotFound,
	"AccessDeniedForDependencyException": cloud.ErrUnauthorized,
}

// groupValidation is Auto Scaling's code for every fault in a request, a group
// that does not exist among them; only the message tells ("AutoScalingGroup name not found").
const groupValidation = "ValidationError"

// notebookValidation is SageMaker's code for every refusal of a notebook instance
// but a quota: there is none of that name ("RecordNotFound"), or it is in another
// state ("Status (Pending) not in ([InService]). Unable to transition to (Stopping) …").
const notebookValidation = "ValidationException"

// expiredCodes are refusals after which new credentials are fetched once.
var expiredCodes = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}

// expired reports that the credentials of the call were good but are no longer.
func expired(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && slices.Contains(expiredCodes, refusal.Code)
}

// skewed reports that AWS refused a request for its time. The answer said AWS's
// own, with which the client signs its next request.
func skewed(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.skewed()
}

func (e *Error) skewed() bool {
	switch e.Code {
	case "RequestExpired", "RequestTimeTooSkewed":
		return true
	case "SignatureDoesNotMatch", "InvalidSignatureException":
		return strings.HasPrefix(e.Message, "Signature expired") || strings.HasPrefix(e.Message, "Signature not yet current")
	}
	return false
}

// Error is a refusal by AWS or on the way to it, in words.
type Error struct {
	Operation kinds.Operation
	Scope     fleet.Scope
	Code      string // AWS's code; empty when the answer was none of AWS's
	Status    int    // of HTTP; 0 when no answer came
	Message   string // what the provider said, in full
	class     error
	cause     error
	after     time.Duration
}

// textBound is how much of the provider's message goes into an error's text.
const textBound = 600

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s: %v", e.Operation, e.Scope, e.class)
	switch {
	case errors.Is(e.class, cloud.ErrUnauthorized):
		fmt.Fprintf(&b, ": the permission %s is missing or does not cover the resource", e.Operation)
	case errors.Is(e.class, cloud.ErrRegionDisabled):
		b.WriteString(": the region is not enabled for the account, or AWS no longer accepts the credentials there")
	case e.skewed():
		b.WriteString(": check the clock of this machine")
	}
	said := clean(e.Message)
	switch {
	case e.Code != "" && said != "":
		fmt.Fprintf(&b, " (%s: %s)", e.Code, said)
	case e.Code != "":
		fmt.Fprintf(&b, " (%s)", e.Code)
	case said != "":
		fmt.Fprintf(&b, " (%s)", said)
	}
	return b.String()
}

// Unwrap gives the contract's error, and what the SDK said.
func (e *Error) Unwrap() []error { return []error{e.class, e.cause} }

// RetryAfter is when AWS wants to be asked again; 0 when it did not say.
func (e *Error) RetryAfter() time.Duration { return e.after }

var _ cloud.RetryAfter = (*Error)(nil)

// encodedMessage is an opaque blob that only the account's administrators can
// decode; it is long and says what was tried, so it goes into no log.
var encodedMessage = regexp.MustCompile(`(?i)encoded authorization failure message:?\s*\S+`)

// clean makes a provider's message fit for one line of a log.
func clean(message string) string {
	if len(message) > 4*textBound {
		message = message[:4*textBound]
	}
	message = strings.TrimSpace(encodedMessage.ReplaceAllString(message, ""))
	message = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, message)
	if runes := []rune(message); len(runes) > textBound {
		message = string(runes[:textBound]) + "…"
	}
	return message
}

// translate turns what a call returned into an error of the contract. caller is
// the context of the one who asked: when that has ended the error is its cause
// alone, not a failure of the provider.
func translate(caller context.Context, scope fleet.Scope, operation kinds.Operation, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(caller); cause != nil {
		return fmt.Errorf("%s in %s: %w", operation, scope, cause)
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return known // credentials that could not be had, found inside the call
	}
	e := &Error{Operation: operation, Scope: scope, cause: err}
	if response := (*awshttp.ResponseError)(nil); errors.As(err, &response) && response.Response != nil {
		e.Status = response.HTTPStatusCode()
		e.after = retryAfter(response.Response.Header.Get("Retry-After"))
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
		if e.Code == "DryRunOperation" {
			return fmt.Errorf("%w (%w)", kinds.ErrDryRun, err)
		}
		e.class = classify(e.Code, e.Status)
		if e.Code == groupValidation && strings.Contains(e.Message, "not found") {
			e.class = cloud.ErrNotFound
		}
		if e.Code == notebookValidation && strings.HasPrefix(string(operation), "sagemaker:") {
			switch {
			case strings.Contains(e.Message, "RecordNotFound"):
				e.class = cloud.ErrNotFound
			case strings.Contains(e.Message, "Unable to transition"):
				e.class = cloud.ErrWrongState
			case strings.Contains(e.Message, "NextToken"):
				e.class = cloud.ErrTransient // one that grew old: the listing is begun again
			}
		}
		if strings.HasPrefix(e.Code, "InvalidDBClusterState") && strings.Contains(string(operation), "DBCluster") {
			e.class = cloud.ErrWrongState // it is about the cluster itself, not a member
		}
		return e
	}
	e.class = cloud.ErrTransient
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	case e.Status != 0:
		e.Message = fmt.Sprintf("HTTP %d with an answer that is not AWS's: %v", e.Status, root(err))
	default:
		e.Message = root(err).Error()
	}
	return e
}

// classify judges a code, by the table or by its form.
func classify(code string, status int) error {
	if class, known := codes[code]; known {
		return class
	}
	switch {
	case strings.HasPrefix(code, "Throttl"), status == http.StatusTooManyRequests:
		return cloud.ErrThrottled
	case strings.HasPrefix(code, "Insufficient"):
		return cloud.ErrInsufficientCapacity
	case status >= http.StatusInternalServerError, code == "":
		return cloud.ErrTransient
	case strings.HasSuffix(code, ".NotFound"):
		return cloud.ErrNotFound
	case status == http.StatusForbidden:
		return cloud.ErrUnauthorized
	}
	return cloud.ErrInvalid
}

// root is the innermost error: the SDK wraps each one several times over.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// longestRetryAfter bounds how long a server can make us wait.
const longestRetryAfter = 5 * time.Minute

// retryAfter reads the header's seconds; AWS sends no dates.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(header))
	if err != nil || seconds <= 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestRetryAfter)
}

// idsBound is how much of a message is searched for ids: a thousand of them fit.
const idsBound = 64 << 10

var instanceID = regexp.MustCompile(`\bi-[0-9A-Za-z]{1,40}\b`)

// blame names the members of the batch that made AWS refuse a call, where the
// answer tells. Only ids of the batch count: a message may mention anything.
func blame(err error, targets []cloud.Target) error {
	var refusal *Error
	if err == nil || !errors.As(err, &refusal) || !aboutMembers(refusal.class) {
		return err
	}
	if len(targets) == 1 {
		return &cloud.MemberError{IDs: []string{targets[0].ID}, Err: err}
	}
	batch := make(map[string]bool, len(targets))
	for _, target := range targets {
		batch[target.ID] = true
	}
	var named []string
	for _, id := range instanceID.FindAllString(refusal.Message[:min(len(refusal.Message), idsBound)], -1) {
		if batch[id] {
			named = append(named, id)
			batch[id] = false
		}
	}
	if len(named) == 0 {
		return err
	}
	slices.Sort(named)
	return &cloud.MemberError{IDs: named, Err: err}
}

// aboutMembers: the refusal lies with the resources and not with the caller, the
// region or the way. Missing permissions are the caller's even where a message
// names a resource: it is the first of the batch, not the only one.
func aboutMembers(class error) bool {
	switch class {
	case cloud.ErrNotFound, cloud.ErrWrongState, cloud.ErrUnsupported, cloud.ErrProtected, cloud.ErrInvalid, cloud.ErrInsufficientCapacity, cloud.ErrQuota: //nolint:errorlint // class is one of the contract's own errors, never wrapped
		return true
	}
	return false
}
