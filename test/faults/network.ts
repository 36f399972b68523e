import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from '../helpers/free-port.js'

/** Whether nothing passes from one address to another. */
type Rule = (from: string, to: string) => boolean

interface Way {
  readonly from: string
  readonly to: string
  readonly near: Socket
  /** Undefined where it was never let through. */
  readonly far: Socket | undefined
}

/**
 * The network between the processes of a run. Each process connects from a loopback address of its own, and
 * each server is reached through a gate that sees who connects. A blocked connection is neither refused nor
 * answered, as in a network that has come apart.
 */
export class TestNetwork {
  private readonly rules = new Set<Rule>()
  private readonly ways = new Set<Way>()
  private readonly gates: Server[] = []

  /**
   * Opens a gate to a port of this machine.
   * @param to the address of the process that listens there
   * @returns the gate's port
   */
  async gate (to: string, target: number): Promise<number> {
    const server = createServer(near => { this.join(near, to, target) })
    const port = await freePort()
    await new Promise<void>(resolve => { server.listen(port, '127.0.0.1', resolve) })
    this.gates.push(server)
    return port
  }

  /** Lets nothing pass for which the rule holds, from either side. @returns what lifts it */
  block (rule: Rule): () => void {
    const both: Rule = (from, to) => rule(from, to) || rule(to, from)
    this.rules.add(both)
    this.apply()
    return () => {
      this.rules.delete(both)
      this.apply()
    }
  }

  close (): void {
    for (const gate of this.gates) gate.close()
    for (const { near, far } of this.ways) {
      near.destroy()
      far?.destroy()
    }
  }

  private isBlocked (from: string, to: string): boolean {
    return [...this.rules].some(rule => rule(from, to))
  }

  private join (near: Socket, to: string, target: number): void {
    const from = near.remoteAddress!
    const far = this.isBlocked(from, to) ? undefined : connect(target, '127.0.0.1')
    const way = { from, to, near, far }
    this.ways.add(way)
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      socket?.on('error', () => {})
      socket?.on('close', () => {
        this.ways.delete(way)
        other?.destroy()
      })
    }
    if (far === undefined) return
    near.pipe(far)
    far.pipe(near)
  }

  private apply (): void {
    for (const { from, to, near, far } of this.ways) {
      const blocked = this.isBlocked(from, to)
      if (far === undefined) {
        if (!blocked) near.destroy()
      } else if (blocked) {
        near.unpipe(far).pause()
        far.unpipe(near).pause()
      } else if (near.isPaused()) {
        near.pipe(far)
        far.pipe(near)
      }
    }
  }
}
