import { type Static, Type } from '@sinclair/typebox'

/** The record of a node, each second: what the other nodes see of it, and `GET /v1/admin/nodes` shows. */
export const NodeRecord = Type.Object({
  id: Type.String({ description: 'random: of one process' }),
  name: Type.String({ description: 'NODE_NAME, or its host and the number of its process' }),
  url: Type.Optional(Type.String({ description: 'NODE_URL, or where it listens; absent before it does' })),
  version: Type.String(),
  started: Type.String({ description: 'ISO 8601' }),
  load: Type.Object({
    connections: Type.Integer(),
    messages_per_second: Type.Number({ description: 'sent to clients' }),
    received_per_second: Type.Number({ description: 'that came from the log' }),
    cpu: Type.Number({ description: 'cores used' }),
    memory_bytes: Type.Integer(),
    event_loop_delay_ms: Type.Number({ description: '99 % of its event loop turns begin no later than this' })
  }, { description: 'of the last second' }),
  sources: Type.Record(Type.String(), Type.String(), {
    description: 'its sources: waiting, running, retrying or ended on this node'
  }),
  wants: Type.Array(Type.String(), { description: 'lazy sources that somebody on this node subscribes to' })
})
export type NodeRecord = Static<typeof NodeRecord>

const NodeId = Type.String({ description: "a node's id" })

export const NodesOverview = Type.Object({
  nodes: Type.Array(Type.Intersect([NodeRecord, Type.Object({
    lag: Type.Optional(Type.Integer({
      description:
        'messages of the log that it had not read when it was asked; absent if it did not answer in time'
    }))
  })])),
  leases: Type.Array(Type.Object({
    source: Type.String(),
    state: Type.Union([Type.Literal('running'), Type.Literal('waiting'), Type.Literal('ended')], {
      description: 'waiting: to be started, to be wanted, or for a node to take it'
    }),
    holder: Type.Optional(NodeId),
    name: Type.Optional(Type.String({ description: "the holder's" })),
    token: Type.Optional(Type.Integer({ description: 'messages with a lower one are refused' })),
    since: Type.Optional(Type.String({ description: 'ISO 8601' }))
  })),
  shards: Type.Array(Type.Object({
    shard: Type.Integer(),
    epoch: Type.String({ description: 'eight hexadecimal digits' }),
    offset: Type.Integer({ description: 'of its last message' }),
    followers: Type.Array(Type.Object({ node: NodeId, lag: Type.Integer({ description: 'messages' }) }))
  }))
})
export type NodesOverview = Static<typeof NodesOverview>
