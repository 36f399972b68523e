import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Message } from '../helpers/clients.js'
import { FUZZ_ADDRESS, type Ground } from './ground.js'
import { judgeMessage, judgeRefusal } from './oracle.js'

/**
 * More clients at once than one user may have, and some that never say a word. They reach the answers that
 * only a crowd or a silent client gets.
 */
export class Crowd {
  private readonly sockets = new Set<WebSocket>()
  private readonly silent = new Set<WebSocket>()

  constructor (
    private readonly ground: Ground,
    private readonly size: number,
    private readonly restMs: number,
    private readonly token: string
  ) {}

  async run (): Promise<void> {
    while (!this.ground.over) {
      for (let index = 0; index < this.size; index++) this.open(index === 0)
      await delay(300)
      for (const socket of this.sockets) socket.terminate()
      for (let rested = 0; rested < this.restMs && !this.ground.over; rested += 100) await delay(100)
    }
    for (const socket of [...this.sockets, ...this.silent]) socket.terminate()
  }

  private open (stays: boolean): void {
    const { ground } = this
    const socket = new WebSocket(`ws://127.0.0.1:${ground.port}/v1/stream?token=${this.token}`, { localAddress: FUZZ_ADDRESS })
    const own = stays ? this.silent : this.sockets
    own.add(socket)
    socket.on('unexpected-response', (request, response) => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('close', () => {
        const wrong = judgeRefusal(response.statusCode ?? 0, text)
        if (wrong !== undefined) ground.fault(`one of many got ${wrong}`)
        else ground.coverage.code((JSON.parse(text) as { code: string }).code)
        request.destroy()
      })
    })
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message
      const wrong = judgeMessage(message, 'string')
      if (wrong !== undefined) ground.fault(`one of many was sent what ${wrong}`)
      if (typeof message['code'] === 'string') ground.coverage.code(message['code'])
    })
    socket.on('close', () => { own.delete(socket) })
  }
}
