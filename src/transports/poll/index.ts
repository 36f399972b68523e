import { DEFAULT_POLL_LIMIT } from '@tickwire/protocol'
import { endOf } from '../../auth/identity.js'
import { answerBody } from '../gzip-answer.js'
import type { HttpTransport } from '../transport.js'
import { HeldPoll, REQUEST_ID_HEADER } from './held-poll.js'
import { poll } from './poll.js'

const JSON_TYPE = 'application/json; charset=utf-8'

export const pollTransport: HttpTransport = {
  name: 'poll',
  parameters: ['wait', 'limit'],
  matches: () => true,

  async serve (stream, request, reply) {
    const { context, address, identity, query, subscriptions, start, slot } = stream
    const selectors = subscriptions.flatMap(({ granted }) => granted)
    const counters = context.hub.counters.transport(pollTransport.name)
    counters.opened++
    const now = Date.now()
    if (start.from === 'now') counters.fresh++
    else counters.resumes++
    try {
      const held = new HeldPoll(request, identity)
      context.polls.register(held)
      const { ledger } = context.connections
      try {
        await stream.admit()
        for (const [index, { channel, granted }] of subscriptions.entries()) {
          held.record.subscribe(`s${index + 1}`, channel, granted, now)
        }
        ledger.add(held)
        reply.header(REQUEST_ID_HEADER, held.id)
        const gone = new AbortController()
        reply.raw.on('close', () => { gone.abort() })
        const { text, messages } = await poll(context.hub, selectors, {
          start,
          snapshots: query.snapshot ?? true,
          writer: context.dialects.native(query.decimals).writer,
          limit: query.limit ?? DEFAULT_POLL_LIMIT,
          // The wait ends when the token expires. The client goes on from the cursor with its next token.
          waitMs: Math.min((query.wait ?? 0) * 1000, endOf(identity, now) - now),
          // No signal that lives as long as the server may be here: what `any` adds to it would stay there.
          signal: AbortSignal.any([gone.signal, held.signal])
        })
        const { bytes, headers } = await answerBody(request, text, context.compression)
        held.signal.throwIfAborted()
        counters.messages += messages
        counters.bytes += bytes.length
        const party = { transport: pollTransport.name, address, user: identity.user, connection: held.id }
        context.events.polled(party, selectors.length, messages)
        return await reply.type(JSON_TYPE).headers(headers).send(bytes)
      } finally {
        ledger.leave(held)
        context.polls.release(held)
      }
    } finally {
      counters.closed++
      slot.release()
    }
  },

  head ({ context: { connections: { registry } }, identity }, request, reply) {
    const poll = new HeldPoll(request, identity)
    // Throws if another client uses the id.
    registry.add(poll)
    registry.remove(poll)
    return reply.header(REQUEST_ID_HEADER, poll.id).type(JSON_TYPE).send()
  }
}
