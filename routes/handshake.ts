import { ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import { agreedExtension } from '../src/transports/ws/extensions.js'

const HANDSHAKE_KEY = /^[+/0-9A-Za-z]{22}==$/

/**
 * Refuses a malformed handshake (RFC 6455, 4.2.1), which `ws` would refuse in its own words after everything
 * else was judged. Leaves of the offered extensions only the agreed one, which `ws` then finds and answers.
 * @throws ProtocolError `bad_request`
 */
export function prepareHandshake ({ headers, raw }: FastifyRequest): void {
  const { 'sec-websocket-key': key = '', 'sec-websocket-version': version } = headers
  if (!HANDSHAKE_KEY.test(key)) {
    throw new ProtocolError('bad_request', 'Sec-WebSocket-Key must be 16 bytes in base64')
  }
  if (version !== '13' && version !== '8') {
    throw new ProtocolError('bad_request', 'Sec-WebSocket-Version must be 13')
  }
  const extension = agreedExtension(headers['sec-websocket-extensions'])
  if (extension === undefined) delete raw.headers['sec-websocket-extensions']
  else raw.headers['sec-websocket-extensions'] = extension
}
