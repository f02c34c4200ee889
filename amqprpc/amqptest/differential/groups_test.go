package differential

// allScenarios are all groups.
func allScenarios() []group {
	return []group{
		handshakeScenarios(), connectionScenarios(), frameScenarios(), channelScenarios(),
		exchangeScenarios(), exchangeBindingScenarios(), routingScenarios(),
		queueScenarios(), queueArgumentScenarios(),
		publishScenarios(), getScenarios(), consumeScenarios(), qosScenarios(), ackScenarios(),
		confirmScenarios(), txScenarios(),
		ttlScenarios(), expiresScenarios(), lengthScenarios(), priorityScenarios(), singleActiveScenarios(),
		deadLetterScenarios(), quorumScenarios(), directReplyScenarios(),
		expiryScenarios(), equivalenceScenarios(), fairnessScenarios(), nameScenarios(), replyAddressScenarios(),
		endingScenarios(), sizeScenarios(), xdeathScenarios(),
		permissionScenarios(), policyScenarios(), operatorScenarios(), defaultTypeScenarios(),
		walkScenarios(1, recordedWalks), consumerWalkScenarios(1, recordedConsumerWalks),
		alarmScenarios(), timeoutScenarios(), stopScenarios(),
	}
}
