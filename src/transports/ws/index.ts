import type { WebSocket } from 'ws'
import type { Connection } from '../../connection/connection.js'
import { receive, receiveControl } from '../../connection/dispatch.js'
import type { Dialect } from '../../dialects/dialect.js'
import { livenessOf } from '../liveness.js'
import { openConnection, type StreamRequest } from '../stream-request.js'
import type { UpgradeTransport } from '../transport.js'
import { WebSocketTransport } from './websocket-transport.js'

/** What is spoken on a WebSocket. */
export interface Speech {
  readonly dialect: Dialect
  /** Takes a message of the client, a text or bytes. */
  receive (connection: Connection, received: string | Buffer): void
  /** Called before anything is sent. */
  onOpen? (connection: Connection): void
  onClose? (connection: Connection): void
}

/** Serves an upgraded request. Must be called in the tick of the upgrade. */
export function serveWebSocket (stream: StreamRequest, socket: WebSocket, speech: Speech): void {
  const { context, query } = stream
  const transport = new WebSocketTransport(socket, speech.dialect, livenessOf(context, query.heartbeat))
  const connection = openConnection(stream, transport, opened => { speech.onOpen?.(opened) })
  transport.connect({
    onMessage: message => {
      if (connection.isOpen) connection.outlet.countReceived(Buffer.byteLength(message))
      speech.receive(connection, message)
    },
    onControl: () => { receiveControl(connection) },
    onDrain: () => { connection.onDrain() },
    onClose: code => {
      connection.onClose(code)
      speech.onClose?.(connection)
    },
    onTooBig: () => {
      connection.close({ code: 'message_too_big', message: 'a message is larger than this server takes' })
    },
    onNotText: () => { connection.close({ code: 'invalid_json', message: 'the text is not UTF-8' }) }
  })
}

export const webSocketTransport: UpgradeTransport = {
  name: 'websocket',
  parameters: ['heartbeat'],
  serve (stream, socket) {
    const dialect = stream.context.dialects.of(socket.protocol, stream.query.decimals)
    serveWebSocket(stream, socket, {
      dialect, receive: (connection, message) => { receive(connection, dialect, message) }
    })
  }
}
