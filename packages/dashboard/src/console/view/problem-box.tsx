import type { ReactNode } from 'react'
import { language } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import type { Problem } from '../wire/problem.js'
import { adviceFor } from './words.js'

/** Shows what was refused: the code, the server's words, and what to do. */
export function ProblemBox ({ problem }: { readonly problem: Problem | undefined }): ReactNode {
  const chosen = useStore(language)
  return (
    <div role='alert' data-problem={problem?.code ?? (problem === undefined ? undefined : 'unknown')}>
      {problem !== undefined && (
        <div className='problem-box'>
          <p>
            <strong className='problem'>{problem.code ?? '?'}</strong>
            {problem.status !== undefined && <span className='faint'> HTTP {problem.status}</span>}
            {problem.close !== undefined && <span className='faint'> WebSocket {problem.close}</span>}
          </p>
          <p>{problem.words}</p>
          <p className='faint'>{adviceFor(problem, chosen)}</p>
        </div>
      )}
    </div>
  )
}
