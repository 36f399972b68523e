import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What one connection through a link consists of. */
interface Pair {
  readonly near: Socket
  readonly far: Socket
}

/**
 * A proxy between one process and its Redis. A test can break it, lead it to another Redis, or make it lose
 * answers: Redis then still executes the commands, but the process gets no reply.
 */
export class Link {
  private readonly pairs = new Set<Pair>()
  private away = false
  private swallows = false

  private constructor (private readonly server: Server, private target: string | number) {}

  /** @param target the path of a socket, or a port of this machine */
  static async open (target: string | number): Promise<Link> {
    const server = createServer()
    const link = new Link(server, target)
    server.on('connection', near => { link.join(near) })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    return link
  }

  get port (): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Breaks all connections, and every new one at once, until {@link give}. */
  take (): void {
    this.away = true
    this.breakAll()
  }

  /** @param target where it leads from now on */
  give (target: string | number = this.target): void {
    this.target = target
    this.away = false
  }

  /** From now on no answer arrives, until the connections are broken. */
  swallowAnswers (): void {
    this.swallows = true
  }

  breakAll (): void {
    this.swallows = false
    for (const { near, far } of this.pairs) {
      near.destroy()
      far.destroy()
    }
  }

  close (): void {
    this.take()
    this.server.close()
  }

  private join (near: Socket): void {
    if (this.away) {
      near.resetAndDestroy()
      return
    }
    const far = typeof this.target === 'number' ? connect(this.target, '127.0.0.1') : connect(this.target)
    const pair = { near, far }
    this.pairs.add(pair)
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      socket.on('error', () => {})
      socket.on('close', () => {
        this.pairs.delete(pair)
        other.destroy()
      })
    }
    near.pipe(far)
    far.on('data', chunk => {
      if (!this.swallows && !near.write(chunk)) far.pause()
    })
    near.on('drain', () => { far.resume() })
  }
}
