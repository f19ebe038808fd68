/** The types of the bundle next to this file. */
export * from '../../../../sdk/src/call/index.ts';
export * from '../../../../sdk/src/fallback/index.ts';
export * from '../../../../sdk/src/index.ts';
export * from '../../../../sdk/src/room-call/index.ts';
export * from '../../../../sdk/src/rooms/index.ts';
