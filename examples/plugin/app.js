/**
 * Streaming inside your own Fastify application: channels of your own beside the standard ones, which your
 * routes publish to. Run it in the project's folder, after `npm run build`: node examples/plugin/app.js
 */
import { pathToFileURL } from 'node:url'
import Fastify from 'fastify'
import { defineChannel, quotes, tickwire, Type } from '@tickwire/server'

/**
 * Waiting times at the lifts of a ski resort. The last message is the state, and clients may throttle the
 * channel.
 */
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

const Depths = Type.Record(
  Type.String({ pattern: '^[a-z]{1,32}$' }), Type.Integer({ minimum: 0, maximum: 2000 })
)

/** Adds changed depths to known ones. */
const withDepths = (known, changed) => ({ depths: { ...known.depths, ...changed.depths } })

/** Snow at the stations of an area, in cm: a message has the stations that changed, the state has all. */
export const snow = defineChannel({
  name: 'snow',
  type: 'snow',
  description: 'Depth of the snow by station.',
  keyed: true,
  access: 'public',
  schema: Type.Object({ depths: Depths }, { additionalProperties: false }),
  reduce: (state, data, replaces) => replaces || state === undefined ? data : withDepths(state, data),
  // To merge the same message a second time changes nothing. Every merge must be like that.
  merge: withDepths,
})

export async function buildApp () {
  const app = Fastify({ logger: { level: 'warn' } })

  await app.register(tickwire, {
    prefix: '/live',
    channels: [lifts, snow],
    settings: {
      JWT_SECRET: process.env.JWT_SECRET ?? 'a secret that is for this example only',
      UNKNOWN_SYMBOLS: 'accept',
    },
  })

  // Your own routes stay as they are, and publish when something happens.
  app.post('/lifts/:lift', async (request, reply) => {
    const { lift } = request.params
    const sequence = await app.tickwire.publish(lifts, { symbol: lift, data: { lift, ...request.body } })
    return await reply.code(202).send({ sequence })
  })
  app.post('/snow/:area', async (request, reply) => {
    const { area } = request.params
    const sequence = await app.tickwire.publish(snow, { symbol: area, data: { depths: request.body } })
    return await reply.code(202).send({ sequence })
  })

  // The standard channels work, too.
  await app.tickwire.publish(quotes, { symbol: 'SKI', data: { symbol: 'SKI', last: '42.50' } })
  return app
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const app = await buildApp()
  const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
  const json = "-H 'Content-Type: application/json'"
  console.log(`curl -N -H 'Accept: text/event-stream' '${address}/live/v1/stream?subscribe=lifts:*'`)
  console.log(`curl ${json} -d '{"open":true,"waiting_minutes":5}' ${address}/lifts/gondola`)
}
