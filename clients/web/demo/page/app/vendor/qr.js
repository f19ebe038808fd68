/* Made by `npm run build` in clients/web/demo. Change the sources, not this file. */

// node_modules/qr/index.js
/*!
 * Copyright (c) 2023 Paul Miller (paulmillr.com)
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
var BYTES = /* @__PURE__ */ (() => {
  let res = [];
  for (let ver = 1; ver <= 40; ver++) {
    let bits = (16 * ver + 128) * ver + 64;
    if (ver >= 2) {
      let align = Math.floor(ver / 7) + 2;
      bits -= (25 * align - 10) * align - 55, ver >= 7 && (bits -= 36);
    }
    res.push(bits >>> 3);
  }
  return res;
})(), ECC_LEVELS = ["low", "medium", "quartile", "high"], WORDS_PER_BLOCK = {
  low: [
    7,
    10,
    15,
    20,
    26,
    18,
    20,
    24,
    30,
    18,
    20,
    24,
    26,
    30,
    22,
    24,
    28,
    30,
    28,
    28,
    28,
    28,
    30,
    30,
    26,
    28,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30
  ],
  medium: [
    10,
    16,
    26,
    18,
    24,
    16,
    18,
    22,
    22,
    26,
    30,
    22,
    22,
    24,
    24,
    28,
    28,
    26,
    26,
    26,
    26,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28,
    28
  ],
  quartile: [
    13,
    22,
    18,
    26,
    18,
    24,
    18,
    22,
    20,
    24,
    28,
    26,
    24,
    20,
    30,
    24,
    28,
    28,
    26,
    30,
    28,
    30,
    30,
    30,
    30,
    28,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30
  ],
  high: [
    17,
    28,
    22,
    16,
    22,
    28,
    26,
    26,
    24,
    28,
    24,
    28,
    22,
    24,
    24,
    30,
    28,
    28,
    26,
    28,
    30,
    24,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30,
    30
  ]
}, ECC_BLOCKS = {
  low: [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
  medium: [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
  quartile: [1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
  high: [1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81]
}, EC_CODE = { low: 1, medium: 0, quartile: 3, high: 2 }, ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
function alignmentPatterns(ver) {
  if (ver = asVersion(ver), ver === 1)
    return [];
  let last = 21 + 4 * (ver - 1) - 7, count = Math.ceil((last - 6) / 28), interval = Math.floor((last - 6) / count);
  interval % 2 ? interval += 1 : (last - 6) % count * 2 >= count && (interval += 2);
  let res = [6];
  for (let m = 1; m < count; m++)
    res.push(last - (count - m) * interval);
  return res.push(last), res;
}
function formatBits(ecc, mask) {
  let data = EC_CODE[ecc] << 3 | mask, d = data;
  for (let i = 0; i < 10; i++)
    d = d << 1 ^ (d >> 9) * 1335;
  return (data << 10 | d) ^ 21522;
}
function versionBits(ver) {
  let d = ver;
  for (let i = 0; i < 12; i++)
    d = d << 1 ^ (d >> 11) * 7973;
  return ver << 12 | d;
}
var MODE_BITS = { numeric: 1, alphanumeric: 2, byte: 4 }, LENGTH_BITS = {
  numeric: [10, 12, 14],
  alphanumeric: [9, 11, 13],
  byte: [8, 16, 16]
}, GF256 = /* @__PURE__ */ (() => {
  let exp = new Uint8Array(510), log = new Uint8Array(256);
  for (let i = 0, x = 1; i < 255; i++)
    exp[i] = exp[i + 255] = x, log[x] = i, x <<= 1, x & 256 && (x ^= 285);
  return { exp, log };
})();
function rsGenerator(eccWords) {
  let { exp: EXP, log: LOG } = GF256, gen = new Uint8Array(eccWords);
  gen[eccWords - 1] = 1;
  for (let i = 0, root = 1; i < eccWords; i++) {
    for (let j = 0; j < eccWords; j++) {
      let c = gen[j];
      gen[j] = (c ? EXP[LOG[c] + LOG[root]] : 0) ^ (j + 1 < eccWords ? gen[j + 1] : 0);
    }
    root = EXP[LOG[root] + 1];
  }
  return gen;
}
var RS_CACHE = [];
function rsCached(eccWords) {
  let cached = RS_CACHE[eccWords];
  if (cached !== void 0)
    return cached;
  let gen = rsGenerator(eccWords), { exp: EXP, log: LOG } = GF256, mul = new Uint8Array(256 * eccWords);
  for (let f = 1; f < 256; f++) {
    let lf = LOG[f], off = f * eccWords;
    for (let j = 0; j < eccWords; j++) {
      let c = gen[j];
      c && (mul[off + j] = EXP[LOG[c] + lf]);
    }
  }
  return RS_CACHE[eccWords] = { gen, mul };
}
function rsEcc(data, gen, mul) {
  let { exp: EXP, log: LOG } = GF256, eccWords = gen.length, res = new Uint8Array(eccWords);
  if (mul !== void 0) {
    let last = eccWords - 1;
    for (let i = 0; i < data.length; i++) {
      let off = (data[i] ^ res[0]) * eccWords;
      for (let j = 0; j < last; j++)
        res[j] = res[j + 1] ^ mul[off + j];
      res[last] = mul[off + last];
    }
    return res;
  }
  for (let i = 0; i < data.length; i++) {
    let f = data[i] ^ res[0];
    if (res.copyWithin(0, 1), res[eccWords - 1] = 0, f)
      for (let j = 0; j < eccWords; j++)
        gen[j] && (res[j] ^= EXP[LOG[gen[j]] + LOG[f]]);
  }
  return res;
}
function capacity(ver, ecc) {
  let bytes = BYTES[ver - 1], words = WORDS_PER_BLOCK[ecc][ver - 1], numBlocks = ECC_BLOCKS[ecc][ver - 1], blockLen = Math.floor(bytes / numBlocks) - words, shortBlocks = numBlocks - bytes % numBlocks;
  return { words, numBlocks, shortBlocks, blockLen, capacity: (bytes - words * numBlocks) * 8 };
}
var err = (msg) => {
  throw new Error(msg);
};
function asVersion(ver) {
  if (typeof ver != "number")
    throw new TypeError(`"ver" expected number, got type=${typeof ver}`);
  if (!Number.isSafeInteger(ver))
    throw new RangeError(`"ver" expected safe integer, got ${ver}`);
  if (ver < 1 || ver > 40)
    throw new RangeError(`Invalid version=${ver}. Expected number [1..40]`);
  return ver;
}
function detectType(str) {
  let type = "numeric";
  for (let i = 0; i < str.length; i++) {
    let v = ALNUM_VAL[str.charCodeAt(i)];
    if (!(v >= 0))
      return "byte";
    v > 9 && (type = "alphanumeric");
  }
  return type;
}
var ALNUM_VAL = /* @__PURE__ */ (() => {
  let t = new Int8Array(128).fill(-1);
  for (let i = 0; i < ALPHANUMERIC.length; i++)
    t[ALPHANUMERIC.charCodeAt(i)] = i;
  return t;
})();
function encodeData(ver, ecc, text, type, utf8) {
  let cap = capacity(ver, ecc), lengthBits = LENGTH_BITS[type][Math.floor((ver + 7) / 17)], dataLen = type === "byte" ? utf8.length : text.length;
  dataLen >= 1 << lengthBits && err("Capacity overflow");
  let bytes = new Uint8Array(cap.capacity >>> 3), acc = 0, accBits = 0, bytePos = 0, push = (value, len) => {
    for (acc = acc << len | value, accBits += len; accBits >= 8; )
      bytes[bytePos++] = acc >>> (accBits -= 8) & 255;
  };
  if (push(MODE_BITS[type], 4), push(dataLen, lengthBits), type === "numeric")
    for (let i = 0; i < dataLen; i += 3) {
      let n = Math.min(3, dataLen - i);
      push(Number(text.slice(i, i + n)), [0, 4, 7, 10][n]);
    }
  else if (type === "alphanumeric") {
    for (let i = 0; i + 1 < dataLen; i += 2)
      push(ALNUM_VAL[text.charCodeAt(i)] * 45 + ALNUM_VAL[text.charCodeAt(i + 1)], 11);
    dataLen & 1 && push(ALNUM_VAL[text.charCodeAt(dataLen - 1)], 6);
  } else
    for (let i = 0; i < utf8.length; i++)
      push(utf8[i], 8);
  let bitPos = bytePos * 8 + accBits;
  bitPos > cap.capacity && err("Capacity overflow"), accBits && (bytes[bytePos] = acc << 8 - accBits & 255), bitPos += Math.min(4, cap.capacity - bitPos), bitPos & 7 && (bitPos += 8 - (bitPos & 7));
  for (let i = bitPos >>> 3, pad = 0; i < bytes.length; i++, pad ^= 1)
    bytes[i] = pad ? 17 : 236;
  let { words, numBlocks, shortBlocks, blockLen } = cap, rs = rsCached(words), blocks = [], eccs = [];
  for (let i = 0, pos = 0; i < numBlocks; i++) {
    let len = blockLen + (i < shortBlocks ? 0 : 1);
    blocks.push(bytes.subarray(pos, pos + len)), eccs.push(rsEcc(blocks[i], rs.gen, rs.mul)), pos += len;
  }
  let res = new Uint8Array(bytes.length + words * numBlocks), p = 0;
  for (let i = 0; i <= blockLen; i++)
    for (let b of blocks)
      i < b.length && (res[p++] = b[i]);
  for (let i = 0; i < words; i++)
    for (let e of eccs)
      res[p++] = e[i];
  return res;
}
function maskBits(x, y) {
  let x2 = x % 2, y2 = y % 2, x3 = x % 3, xy3 = x3 * (y % 3) % 3, xy2 = x2 & y2, bits = 0;
  return x2 === y2 && (bits |= 1), y2 === 0 && (bits |= 2), x3 === 0 && (bits |= 4), (x + y) % 3 === 0 && (bits |= 8), (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0 && (bits |= 16), xy2 + xy3 === 0 && (bits |= 32), (xy2 + xy3) % 2 === 0 && (bits |= 64), ((x2 ^ y2) + xy3) % 2 === 0 && (bits |= 128), bits;
}
var POP16 = /* @__PURE__ */ (() => {
  let t = new Uint8Array(65536);
  for (let i = 1; i < t.length; i++)
    t[i] = t[i >>> 1] + (i & 1);
  return t;
})(), popcnt = (n) => POP16[n & 65535] + POP16[n >>> 16], TRANSPOSE_TMP = /* @__PURE__ */ new Uint32Array(32);
function transpose32(a) {
  let masks = [1431655765, 858993459, 252645135, 16711935, 65535];
  for (let stage = 0; stage < 5; stage++) {
    let m = masks[stage] >>> 0, s = 1 << stage;
    for (let i = 0; i < 32; i += s << 1)
      for (let k = 0; k < s; k++) {
        let x = a[i + k] >>> 0, y = a[i + k + s] >>> 0, t = (x >>> s ^ y) & m;
        a[i + k] = (x ^ t << s) >>> 0, a[i + k + s] = (y ^ t) >>> 0;
      }
  }
}
var mat = (size) => {
  let words = size + 31 >>> 5;
  return { size, words, v: new Uint32Array(words * size) };
}, matGet = (m, x, y) => m.v[y * m.words + (x >>> 5)] >>> (x & 31) & 1, matSet = (m, x, y, bit) => {
  let i = y * m.words + (x >>> 5), b = 1 << (x & 31);
  m.v[i] = bit ? m.v[i] | b : m.v[i] & ~b;
};
function transposeMat(src, dst) {
  let { size, words, v } = src, tmp = TRANSPOSE_TMP;
  for (let by = 0; by < size; by += 32)
    for (let bx = 0; bx < words; bx++) {
      let rows = Math.min(32, size - by);
      for (let r = 0; r < rows; r++)
        tmp[r] = v[(by + r) * words + bx];
      tmp.fill(0, rows), transpose32(tmp);
      for (let i = 0, dstY = bx * 32; i < 32 && dstY < size; i++, dstY++)
        dst.v[dstY * dst.words + (by >>> 5)] = tmp[i];
    }
}
function runsPenaltyVertical(m) {
  let { size, words, v } = m, tail = size & 31 ? (1 << (size & 31)) - 1 >>> 0 : 4294967295, score = 0;
  for (let wi = 0; wi < words; wi++) {
    let valid = wi === words - 1 ? tail : 4294967295, r3 = v[3 * words + wi], dPrev = 4294967295, d0 = v[wi] ^ v[words + wi], d1 = v[words + wi] ^ v[2 * words + wi], d2 = v[2 * words + wi] ^ r3;
    for (let y = 0, idx = 4 * words + wi; y <= size - 5; y++, idx += words) {
      let r4 = v[idx], d3 = r3 ^ r4, w = ~(d0 | d1 | d2 | d3) & valid;
      w && (score += popcnt(w >>> 0) + 2 * popcnt((w & dPrev) >>> 0)), dPrev = d0, d0 = d1, d1 = d2, d2 = d3, r3 = r4;
    }
  }
  return score;
}
function finderPenaltyVertical(m) {
  let { size, words, v } = m, tail = size & 31 ? (1 << (size & 31)) - 1 >>> 0 : 4294967295, count = 0;
  for (let wi = 0; wi < words; wi++) {
    let valid = wi === words - 1 ? tail : 4294967295;
    for (let y = 0; y <= size - 11; y++) {
      let i = y * words + wi, r0 = v[i], r1 = v[i += words], r2 = v[i += words], r3 = v[i += words], r4 = v[i += words], r5 = v[i += words], r6 = v[i += words], r7 = v[i += words], r8 = v[i += words], r9 = v[i += words], r10 = v[i + words], m0 = valid & r0 & ~r1 & r2 & r3 & r4 & ~r5 & r6 & ~(r7 | r8 | r9 | r10), m1 = valid & ~(r0 | r1 | r2 | r3) & r4 & ~r5 & r6 & r7 & r8 & ~r9 & r10;
      count += popcnt(m0 >>> 0) + popcnt(m1 >>> 0);
    }
  }
  return count;
}
function penaltyScore(m, t, limit = 1 / 0) {
  let { size, words, v } = m, adjacent = runsPenaltyVertical(m) + runsPenaltyVertical(t);
  if (adjacent >= limit)
    return adjacent;
  let tail2 = (1 << size - 32 * (words - 1) - 1) - 1 >>> 0, boxes = 0, dark2 = 0;
  for (let y = 0; y < size; y++)
    for (let wi = 0; wi < words; wi++) {
      let a0 = v[y * words + wi];
      if (dark2 += popcnt(a0 >>> 0), y === size - 1)
        continue;
      let a1 = v[(y + 1) * words + wi], n0 = wi + 1 < words ? v[y * words + wi + 1] : 0, n1 = wi + 1 < words ? v[(y + 1) * words + wi + 1] : 0, eqV = ~(a0 ^ a1), eqH0 = ~(a0 ^ (a0 >>> 1 | n0 << 31)), eqH1 = ~(a1 ^ (a1 >>> 1 | n1 << 31)), w = eqV & eqH0 & eqH1;
      wi === words - 1 && (w &= tail2), boxes += popcnt(w >>> 0);
    }
  let total = size * size, darkSteps = Math.ceil(Math.max(0, Math.abs(dark2 * 100 - total * 50) - total * 5) / (total * 5)), partial = adjacent + 3 * boxes + 10 * darkSteps;
  return partial >= limit ? partial : partial + 40 * (finderPenaltyVertical(m) + finderPenaltyVertical(t));
}
function drawInfo(m, ver, ecc, mask) {
  let size = m.size, bits = formatBits(ecc, mask);
  for (let i = 0; i < 15; i++) {
    let bit = bits >> i & 1;
    i < 6 ? matSet(m, 8, i, bit) : i < 8 ? matSet(m, 8, i + 1, bit) : i === 8 ? matSet(m, 7, 8, bit) : matSet(m, 14 - i, 8, bit), i < 8 ? matSet(m, size - 1 - i, 8, bit) : matSet(m, 8, size - 15 + i, bit);
  }
  if (matSet(m, 8, size - 8, 1), ver >= 7) {
    let vbits = versionBits(ver);
    for (let i = 0; i < 18; i++) {
      let bit = vbits >> i & 1, x = size - 11 + i % 3, y = i / 3 | 0;
      matSet(m, x, y, bit), matSet(m, y, x, bit);
    }
  }
}
var symCache;
function buildSymCache(ver) {
  let size = 21 + 4 * (ver - 1), m = mat(size), fun = new Uint8Array(size * size), setF = (x, y, bit) => {
    matSet(m, x, y, bit), fun[y * size + x] = 1;
  };
  for (let [fx, fy] of [
    [0, 0],
    [size - 7, 0],
    [0, size - 7]
  ])
    for (let dy = -1; dy < 8; dy++)
      for (let dx = -1; dx < 8; dx++) {
        let x = fx + dx, y = fy + dy;
        if (x < 0 || y < 0 || x >= size || y >= size)
          continue;
        let on = dx >= 0 && dx < 7 && dy >= 0 && dy < 7 && (dx === 0 || dx === 6 || dy === 0 || dy === 6 || dx > 1 && dx < 5 && dy > 1 && dy < 5);
        setF(x, y, on ? 1 : 0);
      }
  let align = alignmentPatterns(ver);
  for (let ay of align)
    for (let ax of align)
      if (!fun[ay * size + ax])
        for (let dy = -2; dy <= 2; dy++)
          for (let dx = -2; dx <= 2; dx++) {
            let on = Math.max(Math.abs(dx), Math.abs(dy)) !== 1;
            setF(ax + dx, ay + dy, on ? 1 : 0);
          }
  for (let i = 0; i < size; i++)
    fun[6 * size + i] || setF(i, 6, i % 2 === 0 ? 1 : 0), fun[i * size + 6] || setF(6, i, i % 2 === 0 ? 1 : 0);
  for (let i = 0; i < 9; i++)
    i !== 6 && (setF(8, i, 0), setF(i, 8, 0)), i < 8 && (setF(size - 1 - i, 8, 0), setF(8, size - 1 - i, 0));
  if (ver >= 7)
    for (let i = 0; i < 18; i++) {
      let x = size - 11 + i % 3, y = i / 3 | 0;
      setF(x, y, 0), setF(y, x, 0);
    }
  let planes = [];
  for (let i = 0; i < 8; i++)
    planes.push(mat(size));
  let posBuf = new Uint16Array(size * size), n = 0;
  for (let xOffset = size - 1, dir = -1, y = size - 1; xOffset > 0; xOffset -= 2, dir = -dir)
    for (xOffset === 6 && (xOffset = 5); ; y += dir) {
      for (let j = 0; j < 2; j++) {
        let x = xOffset - j;
        if (fun[y * size + x])
          continue;
        let wi = y * m.words + (x >>> 5);
        posBuf[n++] = wi << 5 | x & 31;
        for (let p = 0, mb = maskBits(x, y); mb; p++, mb >>= 1)
          mb & 1 && (planes[p].v[wi] |= 1 << (x & 31));
      }
      if (y + dir < 0 || y + dir >= size)
        break;
    }
  let planesT = planes.map((p) => {
    let t = mat(size);
    return transposeMat(p, t), t.v;
  });
  return {
    ver,
    tpl: m.v,
    pos: posBuf.slice(0, n),
    planes: planes.map((p) => p.v),
    planesT,
    work: [mat(size), mat(size), mat(size), mat(size)]
  };
}
function drawSymbol(ver, ecc, data, maskIdx, test = !1) {
  (symCache === void 0 || symCache.ver !== ver) && (symCache = buildSymCache(ver));
  let { tpl, pos, planes, planesT, work } = symCache, [m, t, cand, candT] = work;
  m.v.set(tpl);
  let need = Math.min(8 * data.length, pos.length);
  for (let i = 0; i < need; i++)
    if (data[i >>> 3] & 128 >>> (i & 7)) {
      let p = pos[i];
      m.v[p >>> 5] |= 1 << (p & 31);
    }
  let mask = maskIdx;
  if (mask === void 0) {
    transposeMat(m, t);
    let bestScore = 1 / 0;
    for (let p = 0; p < 8; p++) {
      let pv2 = planes[p], ptv = planesT[p];
      for (let i = 0; i < cand.v.length; i++)
        cand.v[i] = m.v[i] ^ pv2[i], candT.v[i] = t.v[i] ^ ptv[i];
      let score = penaltyScore(cand, candT, bestScore);
      score < bestScore && (bestScore = score, mask = p);
    }
  }
  let pv = planes[mask];
  for (let i = 0; i < m.v.length; i++)
    m.v[i] ^= pv[i];
  return test || drawInfo(m, ver, ecc, mask), m;
}
var asNum = (n, title) => {
  if (typeof n != "number")
    throw new TypeError(`"${title}" expected number, got type=${typeof n}`);
  if (!Number.isSafeInteger(n))
    throw new RangeError(`"${title}" expected safe integer, got ${n}`);
  return n;
}, asString = (s, title) => {
  if (typeof s != "string")
    throw new TypeError(`"${title}" expected string, got type=${typeof s}`);
  return s;
};
function utf8Length(str) {
  let length = 0;
  for (let i = 0; i < str.length; i++) {
    let c = str.charCodeAt(i);
    if (c < 128)
      length++;
    else if (c < 2048)
      length += 2;
    else if (c < 55296 || c > 57343)
      length += 3;
    else if (c <= 56319 && i + 1 < str.length) {
      let next = str.charCodeAt(i + 1);
      next >= 56320 && next <= 57343 ? (length += 4, i++) : length += 3;
    } else
      length += 3;
  }
  return length;
}
function byteCapacity(ver, ecc) {
  let lengthBits = LENGTH_BITS.byte[Math.floor((ver + 7) / 17)];
  return Math.min((1 << lengthBits) - 1, Math.floor((capacity(ver, ecc).capacity - 4 - lengthBits) / 8));
}
function _isBytes(a) {
  return a instanceof Uint8Array || ArrayBuffer.isView(a) && a.constructor.name === "Uint8Array" && "BYTES_PER_ELEMENT" in a && a.BYTES_PER_ELEMENT === 1;
}
var dark = (r, x, y) => r.map[x] >= 0 && r.map[y] >= 0 && matGet(r.m, r.map[x], r.map[y]) === 1, CTRL = [10, 27], NL = /* @__PURE__ */ String.fromCharCode(CTRL[0]);
function renderRaw(r) {
  let W = r.W, res = new Array(W);
  for (let y = 0; y < W; y++) {
    let row = new Array(W);
    for (let x = 0; x < W; x++)
      row[x] = dark(r, x, y);
    res[y] = row;
  }
  return res;
}
function renderAscii(r) {
  let W = r.W, out = "";
  for (let y = 0; y < W; y += 2) {
    for (let x = 0; x < W; x++) {
      let first = dark(r, x, y), second = y + 1 >= W ? !0 : dark(r, x, y + 1);
      out += !first && !second ? "\u2588" : !first && second ? "\u2580" : first && !second ? "\u2584" : " ";
    }
    out += NL;
  }
  return out;
}
function renderTerm(r) {
  let W = r.W, esc = String.fromCharCode(CTRL[1]), reset = esc + "[0m", out = "";
  for (let y = 0; y < W; y++) {
    for (let x = 0; x < W; x++)
      out += dark(r, x, y) ? `${esc}[40m  ${reset}` : `${esc}[1;47m  ${reset}`;
    out += NL;
  }
  return out;
}
function renderSvg(r, optimize) {
  let W = r.W, out = `<svg viewBox="0 0 ${W} ${W}" xmlns="http://www.w3.org/2000/svg">`, pathData = "", prev;
  for (let y = 0; y < W; y++)
    for (let x = 0; x < W; x++) {
      if (!dark(r, x, y))
        continue;
      if (!optimize) {
        out += `<rect x="${x}" y="${y}" width="1" height="1" />`;
        continue;
      }
      let mv = `M${x} ${y}`;
      if (prev) {
        let rel = `m${x - prev.x} ${y - prev.y}`;
        rel.length <= mv.length && (mv = rel);
      }
      pathData += `${mv}h1v1${x < 10 ? `H${x}` : "h-1"}Z`, prev = { x, y };
    }
  return optimize && (out += `<path d="${pathData}"/>`), out + "</svg>";
}
function renderGif(r) {
  let W = r.W, pixels = W * W, N = 126, fullChunks = Math.floor(pixels / N), tail = pixels % N, out = new Uint8Array(408 + fullChunks * (N + 2) + 2 + tail + 4), p = 0, u16 = (v) => {
    out[p++] = v & 255, out[p++] = v >>> 8;
  };
  for (let b of [71, 73, 70, 56, 55, 97])
    out[p++] = b;
  u16(W), u16(W), out[p++] = 246, p += 2, out[p++] = 255, out[p++] = 255, out[p++] = 255, p += 381, out[p++] = 44, p += 4, u16(W), u16(W), out[p++] = 0, out[p++] = 7;
  let { m, map } = r, row = new Uint8Array(W), prevMy = -2;
  for (let y = 0, i = 0; y < W; y++) {
    let my = map[y];
    if (my !== prevMy && (prevMy = my, row.fill(0), my >= 0))
      for (let x = 0; x < W; x++)
        map[x] >= 0 && (row[x] = matGet(m, map[x], my));
    for (let x = 0; x < W; ) {
      if (i % N === 0) {
        let rem = pixels - i;
        out[p++] = (rem < N ? rem : N) + 1, out[p++] = 128;
      }
      let n = Math.min(N - i % N, W - x);
      out.set(row.subarray(x, x + n), p), p += n, x += n, i += n;
    }
  }
  return tail === 0 && (out[p++] = 1, out[p++] = 128), out[p++] = 1, out[p++] = 129, out[p++] = 0, out[p++] = 59, out;
}
function gifDataUrl(gif) {
  let g = gif, b64;
  if (typeof g.toBase64 == "function")
    b64 = g.toBase64();
  else {
    let bin = "";
    for (let i = 0; i < g.length; i += 8192)
      bin += String.fromCharCode(...g.subarray(i, i + 8192));
    b64 = btoa(bin);
  }
  return "data:image/gif;base64," + b64;
}
function encodeQR(text, output = "raw", opts = {}) {
  if (asString(text, "text"), asString(output, "output"), typeof opts != "object" || opts === null || Array.isArray(opts))
    throw new TypeError(`"opts" expected object, got type=${typeof opts}`);
  let ver = opts.version;
  ver !== void 0 && (ver = asVersion(ver));
  let ecc = opts.ecc !== void 0 ? opts.ecc : "medium";
  ECC_LEVELS.includes(ecc) || err(`invalid ecc=${ecc}`);
  let encoding = opts.encoding !== void 0 ? opts.encoding : detectType(text);
  if (LENGTH_BITS[encoding] || err(`invalid encoding=${encoding}`), encoding !== "byte") {
    let alpha = encoding === "numeric" ? ALPHANUMERIC.slice(0, 10) : ALPHANUMERIC;
    for (let ch of text)
      alpha.includes(ch) || err(`Unknown letter: "${ch}". Allowed: ${alpha}`);
  }
  opts.mask !== void 0 && (asNum(opts.mask, "opts.mask") < 0 || opts.mask > 7) && err(`invalid mask=${opts.mask}`);
  let textEncoder = opts.textEncoder;
  if (encoding === "byte" && textEncoder === void 0) {
    let maxBytes = byteCapacity(ver === void 0 ? 40 : ver, ecc);
    (text.length > maxBytes || utf8Length(text) > maxBytes) && err("Capacity overflow");
  }
  let utf8 = encoding === "byte" ? (textEncoder !== void 0 ? textEncoder : (s) => new TextEncoder().encode(s))(text) : void 0;
  if (utf8 !== void 0 && !_isBytes(utf8))
    throw new TypeError(`"opts.textEncoder" expected Uint8Array, got type=${typeof utf8}`);
  let dataLen = encoding === "byte" ? utf8.length : text.length, encodedBits = encoding === "numeric" ? Math.floor(dataLen / 3) * 10 + [0, 4, 7][dataLen % 3] : encoding === "alphanumeric" ? Math.floor(dataLen / 2) * 11 + dataLen % 2 * 6 : dataLen * 8;
  if (ver === void 0) {
    for (ver = 1; ver <= 40; ver++) {
      let lengthBits = LENGTH_BITS[encoding][Math.floor((ver + 7) / 17)];
      if (dataLen < 1 << lengthBits && 4 + lengthBits + encodedBits <= capacity(ver, ecc).capacity)
        break;
    }
    ver > 40 && err("Capacity overflow");
  } else {
    let lengthBits = LENGTH_BITS[encoding][Math.floor((ver + 7) / 17)];
    (dataLen >= 1 << lengthBits || 4 + lengthBits + encodedBits > capacity(ver, ecc).capacity) && err("Capacity overflow");
  }
  let data = encodeData(ver, ecc, text, encoding, utf8), m = drawSymbol(ver, ecc, data, opts.mask), border = opts.border === void 0 ? 2 : asNum(opts.border, "opts.border");
  if (border <= 0)
    throw new RangeError(`invalid border=${border}`);
  let scale = opts.scale === void 0 ? 1 : asNum(opts.scale, "opts.scale");
  if (scale <= 0 || scale > 1024)
    throw new RangeError(`invalid scale factor: ${scale}`);
  let W = (m.size + 2 * border) * scale, maxOutputSize = output === "ascii" || output === "gif" || output === "data-url" ? 4096 : 1024;
  if (W > maxOutputSize)
    throw new RangeError(`invalid opts: output is ${W}x${W} (max ${maxOutputSize}), reduce border/scale`);
  let map = new Int32Array(W);
  for (let i = 0; i < W; i++) {
    let f = Math.floor(i / scale) - border;
    map[i] = f >= 0 && f < m.size ? f : -1;
  }
  let r = { m, W, map };
  return output === "raw" ? renderRaw(r) : output === "ascii" ? renderAscii(r) : output === "term" ? renderTerm(r) : output === "svg" ? renderSvg(r, opts.optimize === void 0 ? !0 : opts.optimize) : output === "gif" ? renderGif(r) : output === "data-url" ? gifDataUrl(renderGif(r)) : err(`Unknown output: ${output}`);
}
var qr_default = encodeQR;
export {
  qr_default as encodeQr
};
