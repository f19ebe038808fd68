// A file over a data channel: first its name and size as text, then its bytes. The receiver closes the channel at the end.
const CHUNK_BYTES = 16_384;
/** More bytes wait in the file, not in memory. */
const MAX_BUFFERED_BYTES = 1 << 20;
/** The largest file that a page takes, in bytes: it is in memory. */
const MAX_FILE_BYTES = 100 << 20;

const next = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

async function sha256(blob) {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Resolves with the hash when the other side has it all. */
export async function sendFile(channel, file, onProgress) {
  const closed = next(channel, 'close');
  await next(channel, 'open');
  channel.bufferedAmountLowThreshold = MAX_BUFFERED_BYTES / 2;
  channel.send(JSON.stringify({ name: file.name, size: file.size }));
  for (let at = 0; at < file.size; at += CHUNK_BYTES) {
    if (channel.readyState !== 'open') throw new Error('the other side is gone');
    if (channel.bufferedAmount > MAX_BUFFERED_BYTES) await Promise.race([next(channel, 'bufferedamountlow'), closed]);
    channel.send(await file.slice(at, at + CHUNK_BYTES).arrayBuffer());
    onProgress(Math.min(1, (at + CHUNK_BYTES) / file.size));
  }
  await closed;
  return sha256(file);
}

export function receiveFile(channel, onProgress) {
  const chunks = [];
  let head;
  let bytes = 0;
  return new Promise((resolve, reject) => {
    channel.binaryType = 'arraybuffer';
    channel.onclose = () => reject(new Error('the other side is gone'));
    channel.onmessage = async ({ data }) => {
      if (head) {
        bytes += data.byteLength;
        chunks.push(data);
        onProgress(bytes / head.size);
      } else {
        head = JSON.parse(data);
        if (!(head.size <= MAX_FILE_BYTES)) return channel.close();
      }
      if (bytes < head.size) return;
      channel.onclose = null;
      channel.close();
      const blob = new Blob(chunks);
      resolve({ name: String(head.name), blob, hash: await sha256(blob) });
    };
  });
}
