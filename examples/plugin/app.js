/**
 * Streaming inside your own Fastify application: a channel of your own beside the standard ones, published from your
 * routes. From the project's folder, after `npm run build`: node examples/plugin/app.js
 */
import { pathToFileURL } from 'node:url'
import Fastify from 'fastify'
import { defineChannel, quotes, tickwire, Type } from '@tickwire/server'

/** How busy each lift of a ski resort is. The last message is the state, and it may be throttled. */
export const lifts = defineChannel({
  name: 'lifts',
  type: 'lift',
  description: 'Waiting times at the lifts.',
  keyed: true,
  access: 'public',
  schema: Type.Object({
    lift: Type.String({ minLength: 1, maxLength: 32 }),
    open: Type.Boolean(),
    waiting_minutes: Type.Integer({ minimum: 0, maximum: 600 }),
  }, { additionalProperties: false }),
  retention: { messages: 1000, seconds: 3600 },
  reduce: 'last',
  merge: 'last',
})

const Depths = Type.Record(Type.String({ pattern: '^[a-z]{1,32}$' }), Type.Integer({ minimum: 0, maximum: 2000 }))

/** Snow at the stations of an area, in cm: a message has those that changed, the state has all. */
export const snow = defineChannel({
  name: 'snow',
  type: 'snow',
  description: 'Depth of the snow by station.',
  keyed: true,
  access: 'public',
  schema: Type.Object({ depths: Depths }, { additionalProperties: false }),
  reduce: (state, data, replaces) => replaces || state === undefined ? data : { depths: { ...state.depths, ...data.depths } },
  // Said twice it is still true: that is what a merge must be like.
  merge: (pending, data) => ({ depths: { ...pending.depths, ...data.depths } }),
})

export async function buildApp () {
  const app = Fastify({ logger: { level: 'warn' } })

  await app.register(tickwire, {
    prefix: '/live',
    channels: [lifts, snow],
    settings: { JWT_SECRET: process.env.JWT_SECRET ?? 'a secret that is for this example only', UNKNOWN_SYMBOLS: 'accept' },
  })

  // Your own routes go on as before, and publish where something happens.
  app.post('/lifts/:lift', async (request, reply) => {
    const { lift } = request.params
    const sequence = await app.tickwire.publish(lifts, { symbol: lift, data: { lift, ...request.body } })
    return await reply.code(202).send({ sequence })
  })
  app.post('/snow/:area', async (request, reply) => {
    const sequence = await app.tickwire.publish(snow, { symbol: request.params.area, data: { depths: request.body } })
    return await reply.code(202).send({ sequence })
  })

  // The standard channels are there as well.
  await app.tickwire.publish(quotes, { symbol: 'SKI', data: { symbol: 'SKI', last: '42.50' } })
  return app
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const app = await buildApp()
  const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
  console.log(`curl -N -H 'Accept: text/event-stream' '${address}/live/v1/stream?subscribe=lifts:*'`)
  console.log(`curl -H 'Content-Type: application/json' -d '{"open":true,"waiting_minutes":5}' ${address}/lifts/gondola`)
}
