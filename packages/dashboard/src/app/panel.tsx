import { type ReactNode, useId } from 'react'

export interface PanelProps {
  readonly title: string
  /** Stands beside the title: choices, buttons. */
  readonly tools?: ReactNode
  /** What to say in place of the content: nothing is there yet, or why there is nothing. */
  readonly empty?: string | undefined
  /** Whether what the panel shows may be old. */
  readonly isStale?: boolean
  readonly name: string
  readonly children?: ReactNode
}

/** One part of a page, with a heading. `name` is for styles and tests. */
export function Panel ({ title, tools, empty, isStale = false, name, children }: PanelProps): ReactNode {
  const id = useId()
  return (
    <section className='panel' data-panel={name} data-stale={isStale} aria-labelledby={id}>
      <header className='panel-head'>
        <h2 id={id}>{title}</h2>
        {tools !== undefined && <div className='panel-tools'>{tools}</div>}
      </header>
      <div className='panel-body' tabIndex={0} role='group' aria-labelledby={id}>
        {empty === undefined ? children : <p className='empty'>{empty}</p>}
      </div>
    </section>
  )
}
