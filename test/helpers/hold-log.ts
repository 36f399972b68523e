import type { MemoryLog } from '../../src/log/memory/memory-log.js'

/**
 * Lets one kind of question to a log wait, as a log on the network does, so that a test decides what happens
 * meanwhile.
 * @param concerns by the topic that is asked for
 * @param held whether the questions wait to be asked, or their answers to be heard
 * @returns lets those that wait go on, and later ones be answered at once
 */
export function holdLog (log: MemoryLog, method: 'head' | 'read' | 'snapshot', concerns: (topic: string) => boolean = () => true, held: 'questions' | 'answers' = 'questions'): () => void {
  const answer = log[method].bind(log) as (...question: unknown[]) => Promise<unknown>
  let release = (): void => {}
  const released = new Promise<void>(resolve => { release = resolve })
  const slow = async (...question: unknown[]): Promise<unknown> => {
    const waits = method === 'head' || concerns(question[0] as string)
    if (waits && held === 'questions') await released
    const answered = await answer(...question)
    if (waits) await released
    return answered
  }
  Object.assign(log, { [method]: slow })
  return () => {
    Object.assign(log, { [method]: answer })
    release()
  }
}
