/** The types of the bundle next to this file. */
export { default as encodeQr } from 'qr';
