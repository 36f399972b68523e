import { BATCH_SUBPROTOCOL, JSON_SUBPROTOCOL } from '@tickwire/protocol'

/**
 * A row of the tables: a server, and how clients read it.
 * @typedef {object} Row
 * @property {string} name
 * @property {string} what
 * @property {string} program in server/, or `writer`
 * @property {string} [binary] the program that it runs, if it only runs another
 * @property {'stream' | 'poll'} mode
 * @property {(topics: readonly string[]) => string} request
 * @property {(topics: readonly string[]) => string | Buffer} next sent after the answer to `request`; with
 * `poll` it is the next request, with \0 for the cursor
 * @property {string} ready the text by which a client knows that it is subscribed
 * @property {boolean} [ownWindow] whether the server uses its own default flush window instead of the
 * feeder's window
 */

/** Makes an upgrade request with the key of RFC 6455, 1.3, whose answer the writer knows. */
export const upgrade = (/** @type {string} */ path, /** @type {string} */ more = '') => (
  `GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`)
const get = (/** @type {string} */ path, /** @type {string} */ accept) =>
  `GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: ${accept}\r\n\r\n`
const stream = (/** @type {readonly string[]} */ topics) => `/v1/stream?subscribe=trades:${topics.join(',')}`
const plain = (/** @type {readonly string[]} */ topics) =>
  `topics=${topics.map(topic => topic.slice(1)).join(',')}`
const nothing = () => ''

/** Makes a WebSocket frame of a client's text. The mask is all zeros. */
const masked = (/** @type {string} */ text) => {
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 126, text.length >> 8, text.length & 0xff]
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), Buffer.from(text)])
}

/** The number of Centrifugo's answer to the last subscribe of a client. */
const LAST_SUBSCRIBED = 999_999

/** @type {(subprotocol: string) => Pick<Row, 'program' | 'mode' | 'request' | 'next' | 'ready'>} */
const webSocket = subprotocol => ({
  program: 'tickwire',
  mode: 'stream',
  request: topics => upgrade(stream(topics), `Sec-WebSocket-Protocol: ${subprotocol}\r\n`),
  next: nothing,
  ready: '{"type":"cursor"'
})

/** @type {readonly Row[]} */
export const ROWS = [
  {
    name: 'c',
    what: 'the C writer: the limit',
    program: 'writer',
    mode: 'stream',
    request: topics => upgrade(`/?${plain(topics)}`),
    next: nothing,
    ready: '\r\n\r\n'
  },
  {
    name: 'tickwire-ws',
    what: `this server, WebSocket, ${JSON_SUBPROTOCOL}`,
    ...webSocket(JSON_SUBPROTOCOL)
  },
  {
    name: 'tickwire-ws-batch',
    what: `this server, WebSocket, ${BATCH_SUBPROTOCOL}`,
    ...webSocket(BATCH_SUBPROTOCOL)
  },
  {
    name: 'tickwire-ws-default',
    what: `this server, WebSocket, ${JSON_SUBPROTOCOL}, its own FLUSH_MS`,
    ...webSocket(JSON_SUBPROTOCOL),
    ownWindow: true
  },
  {
    name: 'tickwire-sse',
    what: 'this server, Server-Sent Events',
    program: 'tickwire',
    mode: 'stream',
    request: topics => get(stream(topics), 'text/event-stream'),
    next: nothing,
    ready: 'event: cursor'
  },
  {
    name: 'tickwire-poll',
    what: 'this server, polling: a new request for each answer',
    program: 'tickwire',
    mode: 'poll',
    request: topics => get(stream(topics), 'application/json'),
    next: topics => get(`${stream(topics)}&wait=20&after=\0`, 'application/json'),
    ready: ''
  },
  {
    name: 'socket.io',
    what: 'Socket.IO, rooms',
    program: 'socket-io',
    mode: 'stream',
    request: topics => upgrade(`/socket.io/?EIO=4&transport=websocket&${plain(topics)}`),
    next: () => masked('40'),
    ready: '40{"sid"'
  },
  {
    name: 'centrifugo',
    what: 'Centrifugo 6, WebSocket, history and recovery on; another process publishes over HTTP',
    program: 'centrifugo',
    mode: 'stream',
    request: () => upgrade('/connection/websocket'),
    next: topics => masked([
      { id: 1, connect: {} },
      ...topics.map((channel, index) => (
        { id: index === topics.length - 1 ? LAST_SUBSCRIBED : index + 2, subscribe: { channel } }))
    ].map(command => JSON.stringify(command)).join('\n')),
    ready: `"id":${LAST_SUBSCRIBED}`,
    ownWindow: true
  },
  {
    name: 'ws',
    what: 'ws.send(string) for each client',
    program: 'plain-ws',
    mode: 'stream',
    request: topics => upgrade(`/?${plain(topics)}`),
    next: nothing,
    ready: '\r\n\r\n'
  }
]

/**
 * Makes the file that load.c reads.
 * @param {Pick<Row, 'request' | 'next'>} row
 * @param {readonly (readonly number[])[]} subscriptions
 */
export function requests (row, subscriptions) {
  return Buffer.concat(subscriptions.flatMap(numbers => {
    const topics = numbers.map(topicName)
    return [row.request(topics), row.next(topics)].flatMap(text => {
      const bytes = Buffer.from(text)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    })
  }))
}

/** @param {number} number */
export const topicName = number => `S${String(number).padStart(4, '0')}`
