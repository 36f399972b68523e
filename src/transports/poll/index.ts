import { DEFAULT_POLL_LIMIT, ProtocolError } from '@tickwire/protocol'
import type { HttpTransport } from '../transport.js'
import { poll } from './poll.js'

export const pollTransport: HttpTransport = {
  name: 'poll',
  parameters: ['wait', 'limit'],
  matches: () => true,

  async serve (stream, _request, reply) {
    const { context, query, subscriptions, start, place } = stream
    const gone = new AbortController()
    reply.raw.on('close', () => { gone.abort() })
    try {
      const answer = await poll(context.hub, subscriptions.flatMap(({ granted }) => granted), {
        start,
        snapshots: query.snapshot ?? true,
        decimals: query.decimals ?? 'string',
        limit: query.limit ?? DEFAULT_POLL_LIMIT,
        waitMs: (query.wait ?? 0) * 1000,
        signal: AbortSignal.any([gone.signal, context.draining])
      })
      if (context.draining.aborted) throw new ProtocolError('going_away')
      return await reply.type('application/json; charset=utf-8').send(answer)
    } finally {
      place.release()
    }
  }
}
