import { until } from '../helpers/clients.js'
import type { FaultClient } from './client.js'
import type { World } from './world.js'

/**
 * The share of the clients that leave before the point behind which everything is lost, and the share that
 * leave after they have seen what is lost.
 */
const LEAVING = 0.15
/**
 * A cursor that arrives this long after a message was acknowledged covers that message: messages wait for a
 * flush, cursors wait for nothing.
 */
const CURSOR_AGE_MS = 200

/**
 * Clients that are away when something is lost: some with a cursor from before that point, some with one from
 * behind it.
 */
export class Leavers {
  private readonly gone: FaultClient[]
  private readonly others: FaultClient[]

  constructor ({ fleet, random }: World) {
    const drawn = fleet.clients.map(client => ({ client, lot: random.next() }))
    this.gone = drawn.flatMap(({ client, lot }) => lot < LEAVING ? [client] : [])
    this.others = drawn.flatMap(({ client, lot }) => lot >= LEAVING && lot < 2 * LEAVING ? [client] : [])
    for (const client of this.gone) client.leave()
  }

  /**
   * Makes clients leave with a cursor from behind a moment. A client that has seen more than its cursor says,
   * and whose cursor is from before the loss, could not be told of the loss.
   */
  async leaveAfter (moment: number, concerned: (client: FaultClient) => boolean = () => true): Promise<void> {
    let waiting = this.others.filter(concerned)
    await until('the cursors are from behind that point', () => {
      waiting = waiting.filter(client => {
        if (!client.settled || client.cursorAt <= moment + CURSOR_AGE_MS) return true
        client.leave()
        this.gone.push(client)
        return false
      })
      return waiting.length === 0
    })
  }

  comeBack (): void {
    for (const client of this.gone) client.comeBack()
  }
}
