import { channelOfKey, parseTopicKey } from '@tickwire/protocol'
import {
  type Entry, epochAt, isGood, lastKept, type Log, type ShardHead
} from '../log/log.js'
import type { Arrival } from './arrivals.js'
import { atATime } from './at-a-time.js'
import { Followed, readStates } from './followed.js'
import type { JournalMessage, Positions } from './journal.js'
import { journaled, JournalProjection, type Projected } from './journal-projection.js'
import type { Outputs } from './outputs.js'
import type { JournalProcessor, Past, ProcessorMessage, RuleMemory } from './processor.js'
import { BeginAnew, inputOf, readTopic, type ShardInputs } from './shard-inputs.js'

/** Input topics that are read at the same time. */
const READ_AT_A_TIME = 64
/** Most decisions in one append: a log that is busy with other things must take them in time. */
const MAX_DECISIONS = 100

export interface JournalRunOptions {
  /** How often positions are written at most, in milliseconds. */
  readonly notedMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly projected: Projected
}

type RuleEntry = Pick<Entry, 'topic' | 'sequence' | 'timestamp' | 'payload'>

/** The journal during a run, in which no epoch begins. */
export class JournalRun<State, Decision> {
  private readonly topic: string
  private state: State
  private positions: Positions = {}
  /** Number of the last decision. It is the sequence of the decision's message in the journal. */
  private number = 0
  /** The rules that the processor goes by, if it has any. */
  private memory: RuleMemory | undefined
  /** By topic of rules, the sequence up to which they were learned. */
  private readonly learned = new Map<string, number>()
  /** When the positions were written last, and whether they have moved since. */
  private notedAt = performance.now()
  private hasMoved = false
  /** Whether the log has no state of the journal. */
  private isAnew = false
  private followed: Followed<Decision> | undefined
  private readonly projection: JournalProjection<State, Decision>

  constructor (
    private readonly processor: JournalProcessor<State, Decision>,
    private readonly log: Log,
    private readonly head: ShardHead,
    private readonly outputs: Outputs,
    private readonly options: JournalRunOptions
  ) {
    this.topic = processor.journal
    this.projection = new JournalProjection(processor, log, head, outputs, options.projected)
    this.state = processor.initial()
  }

  async load (): Promise<void> {
    // Asked for first: the run before may still append, and a message between the two reads has a state.
    const { last } = await this.log.read(this.topic, { sequence: 0 }, 1)
    const snapshot = await this.log.snapshot(this.topic)
    if (snapshot === undefined) {
      this.isAnew = true
      if (last === undefined) return
      if (this.processor.rules !== undefined || this.processor.restore !== undefined) {
        // A processor with rules ran only while there were any, and nobody kept the state for the next ones:
        // all begin anew. Others have their state elsewhere.
        this.number = last.sequence
        return
      }
      // Perhaps the log has lost the journal between the two reads.
      const { epoch } = await this.log.read(this.topic, { sequence: 0 }, 1)
      if (epoch !== this.head.epoch) throw new BeginAnew()
      throw new Error(
        `the processor ${this.processor.name} cannot continue: the log has had messages of its journal ` +
        `${this.topic}, but does not know the state any more`
      )
    }
    const { positions, state } = JSON.parse(snapshot.payload) as JournalMessage<Decision, State>
    this.positions = positions
    this.state = state!
    this.number = snapshot.sequence
  }

  /** See {@link JournalProjection.begin}. */
  async project (): Promise<void> {
    await this.projection.begin(this.state, this.number)
  }

  /** Learns all rules that there are. @param input of the shard that has them */
  async learnRules (input: ShardInputs): Promise<void> {
    const { rules } = this.processor
    if (rules === undefined) return
    this.memory = rules.begin(this.state)
    const topics = (await input.topics()).filter(topic => this.isRule(topic))
    const pasts: Past[] = []
    for (const state of (await readStates(this.log, topics)).values()) {
      if (state !== undefined) pasts.push(...this.learn(state))
    }
    this.memory.learned()
    for (const past of pasts) await this.recall(past)
  }

  /** Begins to follow the topics that matter, of a processor that does so. */
  async follow (inputs: readonly ShardInputs[]): Promise<void> {
    await this.restore(inputs)
    const following = this.processor.follow?.(this.state)
    if (following === undefined) return
    this.followed = new Followed(this.log, following)
    for (const input of inputs) input.only(topic => following.concerns(topic))
    await this.followed.begin()
  }

  /** Brings the state back from its compacted channels, if the log has nothing of the journal any more. */
  private async restore (inputs: readonly ShardInputs[]): Promise<void> {
    const { log, processor: { restore } } = this
    if (restore === undefined || !this.isAnew) return
    const topics = [...(await log.topics()).keys()]
      .filter(topic => restore.channels.includes(channelOfKey(topic)))
    const found = new Map<string, unknown>()
    for (const [topic, state] of await readStates(log, topics)) {
      if (state !== undefined) found.set(topic, JSON.parse(state.payload))
    }
    const decision = restore.decision(found)
    if (decision === undefined) return
    // What came before is part of what was brought back.
    for (const { head, shard } of inputs) this.moveTo(shard, head.offset, head)
    await this.decided(decision)
  }

  end (): void {
    this.followed?.following.end()
  }

  private isRule (topic: string): boolean {
    return this.memory !== undefined && channelOfKey(topic) === this.processor.rules!.channel
  }

  private learn ({ topic, sequence, timestamp, payload }: RuleEntry): readonly Past[] {
    // Messages may wait that are older than the state that was read.
    if (sequence <= (this.learned.get(topic) ?? 0)) return []
    this.learned.set(topic, sequence)
    return this.memory!.learn(parseTopicKey(topic).user, JSON.parse(payload) ?? undefined, timestamp)
  }

  /** Reads messages once more that have been decided about. */
  private async recall ({ topic, lengthMs, recall }: Past): Promise<void> {
    const position = this.positions[this.log.shardOf(topic)]
    if (position === undefined) return
    const [epoch, offset] = position
    const [head] = await this.log.head([this.log.shardOf(topic)])
    const upTo = lastKept({ epoch, offset }, head!)
    const found: Entry[] = []
    for await (const page of readTopic(this.log, topic, 0, { epoch: head!.epoch, offset: upTo })) {
      found.push(...page.map(({ entry }) => entry))
    }
    const since = (found.at(-1)?.timestamp ?? 0) - lengthMs
    for (const entry of found) if (entry.timestamp > since) recall(inputOf(entry, false, head!))
  }

  /**
   * Decides about the entries of a shard from the journal's position in it to the head at which following
   * began.
   */
  async catchUp (input: ShardInputs): Promise<void> {
    const { head, shard } = input
    const known = this.positions[shard]
    // A decision about lost messages stays.
    const from = known === undefined ? 0 : lastKept({ epoch: known[0], offset: known[1] }, head)
    const topics = (await input.topics(from)).filter(topic => {
      if (this.isRule(topic) || this.memory?.concerns(topic) === false) return false
      return this.followed?.knows(topic) !== true
    })
    const found: Arrival[] = []
    await atATime(READ_AT_A_TIME, topics, async topic => {
      for await (const page of readTopic(this.log, topic, from, head)) {
        for (const one of page) found.push({ input, ...one })
      }
    })
    await this.decideAll(found.sort((a, b) => a.entry.offset - b.entry.offset))
    if (this.notes) this.moveTo(shard, head.offset, head)
  }

  private moveTo (shard: number, offset: number, head: ShardHead): void {
    const epoch = epochAt(offset, head)
    const known = this.positions[shard]
    // After a loss, another message may have the same offset.
    if (known?.[0] === epoch && known[1] === offset) return
    this.positions[shard] = [epoch, offset]
    this.hasMoved = true
  }

  /** Whether the processor notes its positions: it decides nothing about most messages. */
  private get notes (): boolean {
    return this.memory !== undefined || this.followed !== undefined
  }

  /** Writes the positions, if they have moved and were not written for some time. @throws BeginAnew */
  async notePositions (): Promise<void> {
    if (!this.notes || !this.hasMoved) return
    // A server where nobody ever trades would otherwise write its positions for ever.
    if (this.followed !== undefined && this.number === 0) return
    if (performance.now() - this.notedAt < this.options.notedMs) return
    await this.append([this.decisionMessage(undefined, this.number + 1)], [undefined])
  }

  /** Returns how long the run may wait for entries, in milliseconds. @param mostMs the most */
  waitMs (mostMs: number): number {
    const due = this.followed?.following.nextDue()
    return due === undefined ? mostMs : Math.max(0, Math.min(mostMs, due - this.options.now()))
  }

  /** Decides about the passing of time, and publishes how things stand. */
  async decideDue (inputs: readonly ShardInputs[]): Promise<void> {
    if (this.followed === undefined) return
    const { following } = this.followed
    for (const { shard, passed, head } of inputs) this.moveTo(shard, passed, head)
    const now = this.options.now()
    const decision = following.decideDue(now)
    if (decision !== undefined) await this.decided(decision)
    const states = following.takeStates(now)
    if (states.length > 0) await this.outputs.publish(states)
  }

  /** Takes and appends one decision. */
  private async decided (decision: Decision): Promise<void> {
    this.state = this.processor.apply(this.state, decision)
    await this.append([this.decisionMessage(decision, this.number + 1)], [decision])
  }

  /** Decides about entries, in their order. */
  async decideAll (arrivals: readonly Arrival[]): Promise<void> {
    let decisions: Decision[] = []
    let messages: ProcessorMessage[] = []
    for (const { input: { head, shard }, entry, missed = false } of arrivals) {
      if (this.isRule(entry.topic)) {
        for (const past of this.learn(entry)) await this.recall(past)
        continue
      }
      if (this.hasDecided(shard, entry, head)) continue
      const decision = this.followed === undefined
        ? this.decide(entry, missed, head)
        : await this.decideFollowing(this.followed, entry, missed, head)
      this.moveTo(shard, entry.offset, head)
      if (decision === undefined) continue
      this.state = this.processor.apply(this.state, decision)
      decisions.push(decision)
      messages.push(this.decisionMessage(decision, this.number + decisions.length))
      if (decisions.length < MAX_DECISIONS) continue
      await this.append(messages, decisions)
      decisions = []
      messages = []
    }
    await this.append(messages, decisions)
  }

  private decide (entry: Entry, missed: boolean, head: ShardHead): Decision | undefined {
    if (this.memory?.concerns(entry.topic) === false) return undefined
    return this.processor.decide(this.state, inputOf(entry, missed, head))
  }

  private async decideFollowing (
    followed: Followed<Decision>, entry: Entry, missed: boolean, head: ShardHead
  ): Promise<Decision | undefined> {
    if (followed.passesOver(entry)) return undefined
    const message = inputOf(entry, missed, head)
    await followed.prepare(message)
    return followed.following.decide(message)
  }

  private hasDecided (shard: number, { offset }: Entry, head: ShardHead): boolean {
    const position = this.positions[shard]
    if (position === undefined) return false
    return isGood({ epoch: position[0], offset: position[1] }, head) && offset <= position[1]
  }

  private decisionMessage (decision: Decision | undefined, number: number): ProcessorMessage {
    const positions = { ...this.positions }
    return journaled(
      this.processor,
      { channel: this.topic, data: decision === undefined ? { positions } : { positions, decision } },
      { epoch: this.head.epoch, offset: number, part: 0 }
    )
  }

  /** Appends decisions to the journal, and then publishes their outputs. @throws BeginAnew */
  private async append (
    messages: readonly ProcessorMessage[],
    decisions: ReadonlyArray<Decision | undefined>
  ): Promise<void> {
    if (messages.length === 0) return
    this.notedAt = performance.now()
    this.hasMoved = false
    for (const answer of await this.outputs.publishWhole(messages)) {
      const number = ++this.number
      if (answer === undefined) return await this.leaveOut(messages)
      // Either the journal has lost its last messages, or it has one that came late and that this run does
      // not know.
      if (answer.repeated === true || answer.sequence !== number) throw new BeginAnew()
    }
    await this.projection.publish(decisions, this.number)
  }

  /**
   * The journal refuses a decision, which does not fit its schema; the server has logged why. A decision that
   * the journal does not have is none: only the positions behind it are noted, or it would be made again and
   * again. The run then begins anew from the state without it.
   * @throws BeginAnew
   */
  private async leaveOut (messages: readonly ProcessorMessage[]): Promise<never> {
    for (const message of messages) {
      const [answer] = await this.outputs.publishWhole([message])
      if (answer !== undefined) continue
      const { positions } = message.data as JournalMessage
      const [noted] = await this.outputs.publishWhole([{ ...message, data: { positions } }])
      if (noted !== undefined) break
      throw new Error(
        `the journal ${this.topic} refuses all that the processor ${this.processor.name} would write to it`
      )
    }
    throw new BeginAnew()
  }
}
