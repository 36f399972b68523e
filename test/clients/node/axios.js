import axios from 'axios'
import { ask, pause, takeAnswer } from './report.js'

for (;;) {
  try {
    // Its time limit is of the whole request: longer than `wait`.
    const { status, data } = await axios.get(ask({ wait: 5 }), { timeout: 30_000, validateStatus: () => true })
    await takeAnswer(status, data)
  } catch (error) {
    await pause(error.code ?? error.message)
  }
}
