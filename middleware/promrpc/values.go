package promrpc

// The metrics without labels, in the order of the fields of Stats and Status.
var (
	serverValues = []value[serverState]{
		gauge("amqprpc_server_pending", "Requests that wait for a handler, or have one.", func(s serverState) int64 { return s.stats.Pending }),
		gauge("amqprpc_server_in_flight", "Handlers that run now.", func(s serverState) int64 { return s.stats.InFlight }),
		counter("amqprpc_server_handled_total", "Requests that are finished.", func(s serverState) int64 { return s.stats.Handled }),
		counter("amqprpc_server_redelivered_total", "Requests that may have been delivered before.", func(s serverState) int64 { return s.stats.Redelivered }),
		counter("amqprpc_server_refused_reply_to_total", "Requests rejected because of their reply_to.", func(s serverState) int64 { return s.stats.RefusedReplyTo }),
		counter("amqprpc_server_returned_replies_total", "Replies whose caller was gone.", func(s serverState) int64 { return s.stats.ReturnedReplies }),
		counter("amqprpc_server_poisoned_total", "Requests refused because they were delivered too often.", func(s serverState) int64 { return s.stats.Poisoned }),
		counter("amqprpc_server_shed_total", "Requests that a busy server refused.", func(s serverState) int64 { return s.stats.Shed }),
		counter("amqprpc_server_cancelled_total", "Requests whose caller gave up.", func(s serverState) int64 { return s.stats.Cancelled }),
		counter("amqprpc_server_bad_control_total", "Control messages that could not be read.", func(s serverState) int64 { return s.stats.BadControl }),
		counter("amqprpc_server_panics_total", "Panics of handlers and middleware.", func(s serverState) int64 { return s.stats.Panics }),
		counter("amqprpc_server_late_results_total", "Results that came after their request had been answered.", func(s serverState) int64 { return s.stats.LateResults }),
		counter("amqprpc_server_reconnects_total", "Connections after the first.", func(s serverState) int64 { return s.stats.Reconnects }),

		flag("amqprpc_server_ready", "1 if the server takes and answers requests on all its queues.", func(s serverState) bool { return s.status.Err() == nil }),
		flag("amqprpc_server_connected", "1 if the server has a connection to the broker.", func(s serverState) bool { return s.status.Connection.Connected }),
		flag("amqprpc_server_blocked", "1 if the broker takes no messages, for lack of memory or disk.", func(s serverState) bool { return s.status.Connection.Blocked }),
		flag("amqprpc_server_draining", "1 if the server stops, and answers the requests that it has.", func(s serverState) bool { return s.status.Draining }),
	}

	clientValues = []value[clientState]{
		gauge("amqprpc_client_pending", "Calls and notifications in flight.", func(s clientState) int64 { return s.stats.Pending }),
		counter("amqprpc_client_reconnects_total", "Connections after the first.", func(s clientState) int64 { return s.stats.Reconnects }),
		counter("amqprpc_client_late_replies_total", "Replies to calls that had ended.", func(s clientState) int64 { return s.stats.LateReplies }),
		counter("amqprpc_client_repeated_replies_total", "Further replies to an attempt that had been answered.", func(s clientState) int64 { return s.stats.RepeatedReplies }),
		counter("amqprpc_client_unknown_replies_total", "Messages in the reply queue that answer no call.", func(s clientState) int64 { return s.stats.UnknownReplies }),
		counter("amqprpc_client_returned_total", "Requests to queues that do not exist.", func(s clientState) int64 { return s.stats.Returned }),
		counter("amqprpc_client_nacked_total", "Requests that the broker refused.", func(s clientState) int64 { return s.stats.Nacked }),
		counter("amqprpc_client_cancelled_total", "Attempts whose servers were told that the caller has given up.", func(s clientState) int64 { return s.stats.Cancelled }),
		counter("amqprpc_client_resent_total", "Further attempts at idempotent calls, made by the client itself.", func(s clientState) int64 { return s.stats.Resent }),

		flag("amqprpc_client_ready", "1 if the client can make calls.", func(s clientState) bool { return s.status.Err() == nil }),
		flag("amqprpc_client_connected", "1 if the client has a connection to the broker.", func(s clientState) bool { return s.status.Connection.Connected }),
		flag("amqprpc_client_blocked", "1 if the broker takes no messages, for lack of memory or disk.", func(s clientState) bool { return s.status.Connection.Blocked }),
	}
)
