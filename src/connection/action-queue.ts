import type { ControlMessage, RequestId } from '@tickwire/protocol'
import { type Refusal, toProtocolError } from '../errors.js'
import type { Hub } from '../hub/hub.js'
import type { Delivery } from './delivery/delivery.js'
import type { Outlet } from './delivery/outlet.js'

/**
 * How many actions of a connection may wait for their turn. Beyond that the server reads nothing until half
 * are done.
 */
const MAX_QUEUED_ACTIONS = 64
/** How many publishes of a connection may wait for their answers. Beyond that the next publish waits. */
const MAX_OPEN_ANSWERS = 64

/** The connection of an action queue, as the queue sees it. */
export interface ActionOwner {
  readonly isOpen: boolean
  readonly hub: Hub
  readonly delivery: Delivery
  /** Stops or resumes reading what the client sends. */
  pauseReading (paused: boolean): void
  send (message: ControlMessage): void
  sendError (error: Refusal, id?: RequestId): void
  /** Reports an error of the server's own. */
  report (error: unknown): void
  /** Closes the connection because something that it cannot do without has failed. */
  fail (error: unknown): void
}

/** How an action takes its turn. */
export interface TurnOptions {
  readonly id?: RequestId | undefined
  /**
   * Whether the action subscribes from a position. Until its catch-up runs, no cursor would cover what it
   * asks for.
   */
  readonly resumes?: boolean
  /** Whether the connection exists for this action alone, so that its failure closes the connection. */
  readonly closes?: boolean
  /**
   * Whether the action can be performed while the client lags. Otherwise it waits until the client is live.
   */
  readonly whileLagging?: boolean
}

/**
 * Performs the actions of one client one after another (ADR 7). A catch-up is part of the action that needs
 * it. Bounds what a client can pile up: actions, and answers that are not there yet.
 */
export class ActionQueue {
  private last: Promise<void> = Promise.resolve()
  private queued = 0
  private openAnswers = 0
  /** Whether the action that has its turn resumes, and its catch-up does not run yet. */
  private isResumePending = false

  constructor (private readonly owner: ActionOwner, private readonly outlet: Outlet) {}

  /** Queues a task: it runs once the actions before it are done. */
  enqueue (
    task: () => Promise<void>, { id, resumes = false, closes = false, whileLagging = false }: TurnOptions = {}
  ): void {
    const { owner, outlet } = this
    const { delivery } = owner
    if (++this.queued === MAX_QUEUED_ACTIONS) owner.pauseReading(true)
    if (resumes) delivery.cursor.addPendingResume()
    this.last = this.last.then(async () => {
      if (--this.queued === MAX_QUEUED_ACTIONS / 2) owner.pauseReading(false)
      // A client that does not read its answers gets no more of them.
      await outlet.waitUntil(() => !outlet.isFull && (whileLagging || delivery.isLive))
      await owner.hub.turns.take(owner)
      if (!owner.isOpen) return
      this.isResumePending = resumes
      try {
        await task()
      } catch (error) {
        if (closes) owner.fail(error)
        else this.answerWithError(error, id)
        this.endPendingResume()
      }
    })
  }

  /**
   * Ends what holds back the cursors, if the action that has its turn resumes: from now on its catch-up
   * determines what a cursor covers, or the action was refused.
   */
  endPendingResume (): void {
    if (this.isResumePending) this.owner.delivery.cursor.removePendingResume()
    this.isResumePending = false
  }

  /** Resolves when {@link answerLater} may be called, or when the connection ends. */
  async waitForAnswerSlot (): Promise<void> {
    await this.outlet.waitUntil(() => this.openAnswers < MAX_OPEN_ANSWERS)
  }

  /** Sends the answer to an action once it is there. The turn of the action ends before that. */
  answerLater (answer: Promise<ControlMessage>, id: RequestId | undefined): void {
    const { owner, outlet } = this
    this.openAnswers++
    void answer
      .then(message => { owner.send(message) }, (error: unknown) => { this.answerWithError(error, id) })
      .catch((error: unknown) => { owner.fail(error) })
      .finally(() => {
        this.openAnswers--
        outlet.wake()
      })
  }

  private answerWithError (error: unknown, id: RequestId | undefined): void {
    this.owner.report(error)
    this.owner.sendError(toProtocolError(error), id)
  }
}
