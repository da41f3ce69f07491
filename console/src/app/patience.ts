// What is tried again when it fails, and when that is given up.
const TRIES = 3;

/** How it is with the server: known to be gone, and whether it answers when it is asked. */
export type Line = { offline: () => boolean; answers: () => Promise<boolean> };

/** What `load` answers. Gives up when it failed three times though the server answers: then that has other files by now,
 *  or what is loaded is broken. What fails without a server says nothing about either, and is waited for. */
export async function patiently<T>(load: () => Promise<T>, line: Line, pause: () => Promise<unknown>): Promise<T> {
  for (let failed = 0; ; ) {
    try {
      return await load();
    } catch (error) {
      if (await line.answers()) failed += 1;
      if (failed >= TRIES) throw error;
    }
    do await pause();
    while (line.offline());
  }
}
