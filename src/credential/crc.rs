//! The checksums that tokens carry in their last characters.

/// CRC-32 as in IEEE 802.3 and zlib.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// CRC-16/XMODEM: polynomial 0x1021, start 0, no reflection.
pub fn crc16_xmodem(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 != 0 { shifted ^ 0x1021 } else { shifted }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(&[b'0'; 30]), 0x77e5_db82);
        assert_eq!(crc32(&[b'a'; 30]), 0x6bc1_d3c1);
        assert_eq!(crc32(&[b'0'; 32]), 0xa0f2_92d0);
        assert_eq!(crc32(&[b'0'; 40]), 0x963f_bb8e);
        assert_eq!(crc32(&[b'0'; 70]), 0x1991_ee3d);
        assert_eq!(crc16_xmodem(b"123456789"), 0x31c3);
        assert_eq!(crc16_xmodem(b""), 0);
    }
}
