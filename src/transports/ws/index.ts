import { receive, receiveControl } from '../../connection/dispatch.js'
import { livenessOf } from '../liveness.js'
import { openConnection } from '../stream-request.js'
import type { UpgradeTransport } from '../transport.js'
import { WebSocketTransport } from './websocket-transport.js'

export const webSocketTransport: UpgradeTransport = {
  name: 'websocket',
  parameters: ['heartbeat'],
  serve (stream, socket) {
    const { context, query } = stream
    const dialect = context.dialects.of(socket.protocol, query.decimals)
    const transport = new WebSocketTransport(socket, dialect, livenessOf(context, query.heartbeat))
    const connection = openConnection(stream, transport)
    transport.connect({
      onMessage: message => { receive(connection, dialect, message) },
      onControl: () => { receiveControl(connection) },
      onDrain: () => { connection.onDrain() },
      onClose: code => { connection.onClose(code) },
      onTooBig: () => {
        connection.close({ code: 'message_too_big', message: 'a message is larger than this server takes' })
      },
      onNotText: () => { connection.close({ code: 'invalid_json', message: 'the text is not UTF-8' }) }
    })
  }
}
