// Child processes of a test: start, readiness and guaranteed end. Not here: particular programs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const READY_DEADLINE_MS = 20_000;
const TERM_GRACE_MS = 5_000;
const MAX_KEPT_OUTPUT_CHARS = 20_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/**
 * Starts a program and waits until its output matches.
 * @param {string} program
 * @param {string[]} args
 * @param {RegExp} ready
 * @param {number} [deadlineMs] browsers and builds take longer than servers
 * @returns {Promise<{match: string, stop: () => Promise<void>, kill: () => Promise<void>}>} `kill` is a crash
 */
export async function startChild(program, args, ready, deadlineMs = READY_DEADLINE_MS) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const ended = once(child, 'exit').then(
    ([code, signal]) => `ended with ${signal ?? code}`,
    (error) => error.message, // could not be started
  );
  void ended.then(() => running.delete(child));

  const stop = async () => {
    const hard = setTimeout(() => child.kill('SIGKILL'), TERM_GRACE_MS);
    child.kill('SIGTERM');
    await ended;
    clearTimeout(hard);
  };

  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };

  let output = '';
  let deadline;
  const match = new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${program} ${args[0]} ${why}\n${output}`));
    const onOutput = (chunk) => {
      output = (output + chunk).slice(-MAX_KEPT_OUTPUT_CHARS);
      const found = ready.exec(output);
      if (found) resolve(found[0]);
    };
    child.stdout.on('data', onOutput);
    child.stderr.on('data', onOutput);
    void ended.then(fail);
    deadline = setTimeout(() => fail(`was not ready within ${deadlineMs} ms`), deadlineMs);
  });
  try {
    return { match: await match, stop, kill };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(deadline);
  }
}
