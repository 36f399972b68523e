/**
 * How many clients subscribe to which topics, and how much is published.
 * @typedef {object} Shape
 * @property {string} name
 * @property {string} what
 * @property {number} clients
 * @property {number} topics
 * @property {number} each topics of each client
 * @property {number} rate messages published a second
 * @property {number} windowMs messages published within this time go out together
 * @property {Goals} [goals]
 */

/**
 * The most CPU per message, as a multiple of the C writer's and of Socket.IO's.
 * @typedef {{ limit: number, socketIo: number, sse: number }} Goals
 */

/** @type {Readonly<Record<string, Shape>>} */
export const SHAPES = {
  a: {
    name: 'a',
    what: '500 clients, 1 topic, 1,000 msg/s',
    clients: 500,
    topics: 1,
    each: 1,
    rate: 1000,
    windowMs: 10,
    goals: { limit: 1.5, socketIo: 0.12, sse: 1.8 }
  },
  b: {
    name: 'b',
    what: '500 clients × 20 of 200 topics, 1,000 msg/s',
    clients: 500,
    topics: 200,
    each: 20,
    rate: 1000,
    windowMs: 10,
    goals: { limit: 1.5, socketIo: 0.75, sse: 1.8 }
  },
  c: {
    name: 'c',
    what: '500 clients × 20 of 200 topics, 5,000 msg/s',
    clients: 500,
    topics: 200,
    each: 20,
    rate: 5000,
    windowMs: 10,
    goals: { limit: 1.6, socketIo: 0.25, sse: 1.8 }
  },
  d: {
    name: 'd',
    what: '10,000 clients × 5 of 1,000 topics, 1,000 msg/s, 25 ms',
    clients: 10_000,
    topics: 1000,
    each: 5,
    rate: 1000,
    windowMs: 25,
    goals: { limit: 1.6, socketIo: 0.5, sse: 1.8 }
  }
}

/**
 * Returns the topics of each client, by number. Each topic has the same number of clients, so that it is
 * known exactly what must be delivered. Which clients have it is random, and the same in each run.
 * @param {Pick<Shape, 'clients' | 'topics' | 'each'>} shape
 * @returns {number[][]}
 */
export function subscriptions ({ clients, topics, each }) {
  if (topics % each !== 0) {
    throw new Error(`${topics} topics cannot be used: give a multiple of the ${each} topics of a client`)
  }
  const random = xorshift(1)
  /** @type {number[]} */
  let left = []
  return Array.from({ length: clients }, () => {
    if (left.length === 0) left = shuffled(topics, random)
    return left.splice(0, each)
  })
}

/** Returns the number of clients of a topic. @param {Pick<Shape, 'clients' | 'topics' | 'each'>} shape */
export const readers = ({ clients, topics, each }) => clients * each / topics

/** @param {number} length @param {() => number} random */
function shuffled (length, random) {
  const all = Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = random() % (last + 1)
    const kept = all[last]
    all[last] = all[other]
    all[other] = kept
  }
  return all
}

/** @param {number} seed */
function xorshift (seed) {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
