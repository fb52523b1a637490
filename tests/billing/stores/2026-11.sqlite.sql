BEGIN TRANSACTION;
CREATE TABLE approvals (
	number INTEGER NOT NULL, 
	approval_id TEXT NOT NULL, 
	server TEXT NOT NULL, 
	requester TEXT NOT NULL, 
	run TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	arguments TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'consumed', 'expired')), 
	created_at TEXT NOT NULL, 
	expires_at TEXT NOT NULL, 
	decided_at TEXT, 
	decided_by TEXT, 
	reason TEXT, 
	consumed_at TEXT, 
	PRIMARY KEY (number), 
	UNIQUE (approval_id)
);
INSERT INTO "approvals" VALUES(1,'apr_9648bbd6048881c0a0b1','billing','owner','','issue_refund','f0b106267eeb023f43c3d283bf3edaa98dbffc0eae64040f51a7ce68e20d1c29','{"transaction_id": "ch_maya_feb_2", "amount_minor": 4900, "currency": "USD", "reason": "charged twice"}','{"amount": "49.00 USD", "transaction_id": "ch_maya_feb_2", "charged": "245.00 USD", "charged_at": "2026-02-03T09:17:52+00:00", "customer_id": "cust_12345", "customer_name": "Maya Lindqvist", "refunded_of_charge": "0.00 USD", "refunded_to_customer_today": "2.00 USD", "approval_above": "0.00 USD"}','pending','2026-11-28T01:31:31.466+00:00','2999-01-01T00:00:00.000+00:00',NULL,NULL,NULL,NULL);
INSERT INTO "approvals" VALUES(2,'apr_2b4d0be26d26a1d611ea','billing','owner','','issue_refund','e2cab43351dfd3a11beb0aa9bb530a66296a3d66ebe537c503d0d0857f1b4c87','{"transaction_id": "ch_maya_feb_2", "amount_minor": 1100, "currency": "USD", "reason": "charged twice"}','{"amount": "11.00 USD", "transaction_id": "ch_maya_feb_2", "charged": "245.00 USD", "charged_at": "2026-02-03T09:17:52+00:00", "customer_id": "cust_12345", "customer_name": "Maya Lindqvist", "refunded_of_charge": "0.00 USD", "refunded_to_customer_today": "2.00 USD", "approval_above": "0.00 USD"}','approved','2026-11-28T01:31:31.488+00:00','2999-01-01T00:00:00.000+00:00','2026-11-28T01:31:31.541+00:00','local:ada',NULL,NULL);
CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	call_id TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	run TEXT NOT NULL, 
	token_id TEXT NOT NULL, 
	tool_use_id TEXT NOT NULL, 
	arguments_digest TEXT NOT NULL, 
	arguments TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	duration_us BIGINT NOT NULL, 
	count BIGINT NOT NULL, 
	previous_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (call_id)
);
INSERT INTO "audit" VALUES(1,'2026-11-28T01:31:31.092+00:00','bc4d83e7d5b84b4697daf994ba881696','issue_refund','owner','owner','','','','e9530b8fda6564546acf3ffc3b459d3c18719db344548fdb5e48526202111c36','{"transaction_id":"ch_maya_feb_1","amount_minor":200,"currency":"USD","reason":"text(13)"}','ok',34975,1,'0000000000000000000000000000000000000000000000000000000000000000','332575a93c5d9ae084eef46429a742971cb75352ebb8bad966d88a793c52d02a');
INSERT INTO "audit" VALUES(2,'2026-11-28T01:31:31.430+00:00','86e095ae17564f5395ffeaddb73991c8','issue_refund','owner','owner','','','','f0b106267eeb023f43c3d283bf3edaa98dbffc0eae64040f51a7ce68e20d1c29','{"transaction_id":"ch_maya_feb_2","amount_minor":4900,"currency":"USD","reason":"text(13)"}','approval_required',44867,1,'332575a93c5d9ae084eef46429a742971cb75352ebb8bad966d88a793c52d02a','243d149f447d6bfbe95ca2f6ffd0adee15ceb5ef3b802e242ce9e8ae9e313606');
INSERT INTO "audit" VALUES(3,'2026-11-28T01:31:31.477+00:00','c6aa7260385d490b95d7e532e417ed56','issue_refund','owner','owner','','','','e2cab43351dfd3a11beb0aa9bb530a66296a3d66ebe537c503d0d0857f1b4c87','{"transaction_id":"ch_maya_feb_2","amount_minor":1100,"currency":"USD","reason":"text(13)"}','approval_required',17370,1,'243d149f447d6bfbe95ca2f6ffd0adee15ceb5ef3b802e242ce9e8ae9e313606','dfc8337f761a1d06d9fdd3397f5ead45c8009a5ee11b1562dbf873a0a027cbca');
INSERT INTO "audit" VALUES(4,'2026-11-28T01:31:31.539+00:00','987e7aa61151429ca3c5d4646c8e4a46','decide_approval','approver','local:ada','','','','','','ok',6231,1,'dfc8337f761a1d06d9fdd3397f5ead45c8009a5ee11b1562dbf873a0a027cbca','dd99d2c68f0eeea7aaaf27ff926f0c56dfa65e0faed92a9672030d6641be5c43');
INSERT INTO "audit" VALUES(5,'2026-11-28T01:31:35.977+00:00','3ab0dc1ff2774e728a4b77f63a27f854','issue_refund','owner','owner','','','','8a1505755f66cb08710d379d29f31fab53664da6982f55cd3c9966415ce2e4af','{"transaction_id":"ch_maya_feb_1","amount_minor":300,"currency":"USD","reason":"text(13)"}','ok',54791,1,'dd99d2c68f0eeea7aaaf27ff926f0c56dfa65e0faed92a9672030d6641be5c43','0a36e473d1bf504f5b376abff0aad4294b1104deb3741f7de46edb84c6eb5872');
CREATE TABLE audit_head (
	id INTEGER NOT NULL CHECK (id = 1), 
	seq BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit_head" VALUES(1,5,'0a36e473d1bf504f5b376abff0aad4294b1104deb3741f7de46edb84c6eb5872');
CREATE TABLE billing_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT billing_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "billing_version" VALUES('0002');
CREATE TABLE customers (
	customer_id TEXT NOT NULL, 
	name TEXT, 
	email TEXT, 
	PRIMARY KEY (customer_id)
);
INSERT INTO "customers" VALUES('cust_61000','Ada Adler','ada.adler@mail.example');
INSERT INTO "customers" VALUES('guest_ch_b10b7f5e00e6c95d',NULL,NULL);
INSERT INTO "customers" VALUES('cust_61185','Farah Petrov','farah.petrov@mail.example');
INSERT INTO "customers" VALUES('cust_48230','Kenji Watanabe','kenji@hoshifoods.example');
INSERT INTO "customers" VALUES('cust_31108','Sofia Marchetti','sofia.marchetti@posta.example');
INSERT INTO "customers" VALUES('cust_61296','Ivo Rossi','ivo.rossi@mail.example');
INSERT INTO "customers" VALUES('cust_61444','Mina Eriksen','mina.eriksen@mail.example');
INSERT INTO "customers" VALUES('cust_61407','Liam Silva','liam.silva@mail.example');
INSERT INTO "customers" VALUES('cust_61592','Quinn Moreau','quinn.moreau@mail.example');
INSERT INTO "customers" VALUES('cust_61259','Hana Jansen','hana.jansen@mail.example');
INSERT INTO "customers" VALUES('cust_61037','Ben Haddad','ben.haddad@mail.example');
INSERT INTO "customers" VALUES('cust_61148','Emre Ito','emre.ito@mail.example');
INSERT INTO "customers" VALUES('cust_55021','Noura Al-Sabah','noura@dananir.example');
INSERT INTO "customers" VALUES('cust_61074','Chiara Ortega','chiara.ortega@mail.example');
INSERT INTO "customers" VALUES('cust_61555','Priya Fontaine','priya.fontaine@mail.example');
INSERT INTO "customers" VALUES('cust_12345','Maya Lindqvist','maya@nordlys.example');
INSERT INTO "customers" VALUES('cust_61333','Jun Duarte','jun.duarte@mail.example');
INSERT INTO "customers" VALUES('cust_61629','Rosa Weber','rosa.weber@mail.example');
INSERT INTO "customers" VALUES('cust_61222','Goran Costa','goran.costa@mail.example');
INSERT INTO "customers" VALUES('cust_61481','Noor Lopez','noor.lopez@mail.example');
INSERT INTO "customers" VALUES('cust_61111','Dinh Brandt','dinh.brandt@mail.example');
INSERT INTO "customers" VALUES('cust_20417','Daniel Okafor','accounts@okaforfreight.example');
INSERT INTO "customers" VALUES('cust_61518','Omar Tanaka','omar.tanaka@mail.example');
INSERT INTO "customers" VALUES('cust_61370','Katya Kowalski','katya.kowalski@mail.example');
CREATE TABLE effects (
	principal TEXT NOT NULL, 
	run TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	recorded_at TEXT NOT NULL, 
	PRIMARY KEY (principal, run, tool, "key")
);
INSERT INTO "effects" VALUES('owner','','issue_refund','settled','e9530b8fda6564546acf3ffc3b459d3c18719db344548fdb5e48526202111c36','{"refund_id": "rf_4abf3a6ab8d28bfe4e26"}','2026-11-28T01:31:31.127+00:00');
INSERT INTO "effects" VALUES('owner','','issue_refund','interrupted','8a1505755f66cb08710d379d29f31fab53664da6982f55cd3c9966415ce2e4af','{"refund_id": "rf_5c3b96a61bae4228da51"}','2026-11-28T01:31:36.026+00:00');
CREATE TABLE kit_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT kit_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "kit_version" VALUES('0003');
CREATE TABLE ledger_entries (
	entry_id INTEGER NOT NULL, 
	transfer_id TEXT NOT NULL, 
	account TEXT NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	currency TEXT NOT NULL, 
	transaction_id TEXT NOT NULL, 
	recorded_at TEXT NOT NULL, 
	PRIMARY KEY (entry_id), 
	CONSTRAINT one_entry_per_account_and_transfer UNIQUE (transfer_id, account)
);
INSERT INTO "ledger_entries" VALUES(1,'import_ch_ab4316bc990f813e_0','gateway',14700,'USD','ch_ab4316bc990f813e','2026-11-28T01:31:31.059+00:00');
INSERT INTO "ledger_entries" VALUES(2,'import_ch_ab4316bc990f813e_0','revenue',-14700,'USD','ch_ab4316bc990f813e','2026-11-28T01:31:31.059+00:00');
INSERT INTO "ledger_entries" VALUES(3,'import_ch_97b8df69e50f8e07_0','gateway',36000,'JPY','ch_97b8df69e50f8e07','2026-11-28T01:31:31.060+00:00');
INSERT INTO "ledger_entries" VALUES(4,'import_ch_97b8df69e50f8e07_0','revenue',-36000,'JPY','ch_97b8df69e50f8e07','2026-11-28T01:31:31.060+00:00');
INSERT INTO "ledger_entries" VALUES(5,'import_ch_6a5b11fe980ff5a2_0','gateway',1200,'EUR','ch_6a5b11fe980ff5a2','2026-11-28T01:31:31.060+00:00');
INSERT INTO "ledger_entries" VALUES(6,'import_ch_6a5b11fe980ff5a2_0','revenue',-1200,'EUR','ch_6a5b11fe980ff5a2','2026-11-28T01:31:31.060+00:00');
INSERT INTO "ledger_entries" VALUES(7,'import_ch_eadab4f988f5c589_0','gateway',1200,'USD','ch_eadab4f988f5c589','2026-11-28T01:31:31.060+00:00');
INSERT INTO "ledger_entries" VALUES(8,'import_ch_eadab4f988f5c589_0','revenue',-1200,'USD','ch_eadab4f988f5c589','2026-11-28T01:31:31.060+00:00');
INSERT INTO "ledger_entries" VALUES(9,'import_ch_b08aac340b38e8eb_0','gateway',9800,'USD','ch_b08aac340b38e8eb','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(10,'import_ch_b08aac340b38e8eb_0','revenue',-9800,'USD','ch_b08aac340b38e8eb','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(11,'import_ch_1cd8ddc9a939d772_0','gateway',14700,'USD','ch_1cd8ddc9a939d772','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(12,'import_ch_1cd8ddc9a939d772_0','revenue',-14700,'USD','ch_1cd8ddc9a939d772','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(13,'import_ch_89b96af33b56f1c1_0','gateway',9800,'GBP','ch_89b96af33b56f1c1','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(14,'import_ch_89b96af33b56f1c1_0','revenue',-9800,'GBP','ch_89b96af33b56f1c1','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(15,'import_ch_96fe584fabca2388_0','gateway',1200,'USD','ch_96fe584fabca2388','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(16,'import_ch_96fe584fabca2388_0','revenue',-1200,'USD','ch_96fe584fabca2388','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(17,'import_ch_bc84845e4098020f_0','gateway',1200,'USD','ch_bc84845e4098020f','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(18,'import_ch_bc84845e4098020f_0','revenue',-1200,'USD','ch_bc84845e4098020f','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(19,'import_ch_3cb5cca39cb91702_0','gateway',9800,'GBP','ch_3cb5cca39cb91702','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(20,'import_ch_3cb5cca39cb91702_0','revenue',-9800,'GBP','ch_3cb5cca39cb91702','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(21,'import_ch_e25b453f7644dd01_0','gateway',9800,'GBP','ch_e25b453f7644dd01','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(22,'import_ch_e25b453f7644dd01_0','revenue',-9800,'GBP','ch_e25b453f7644dd01','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(23,'import_ch_df538e9fe16e0b57_0','gateway',14750,'KWD','ch_df538e9fe16e0b57','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(24,'import_ch_df538e9fe16e0b57_0','revenue',-14750,'KWD','ch_df538e9fe16e0b57','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(25,'import_ch_bb282270256e3e15_0','gateway',1200,'USD','ch_bb282270256e3e15','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(26,'import_ch_bb282270256e3e15_0','revenue',-1200,'USD','ch_bb282270256e3e15','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(27,'import_ch_7e2b685eec28ab3f_0','gateway',9800,'USD','ch_7e2b685eec28ab3f','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(28,'import_ch_7e2b685eec28ab3f_0','revenue',-9800,'USD','ch_7e2b685eec28ab3f','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(29,'import_ch_842899bce5c1042c_0','gateway',24500,'USD','ch_842899bce5c1042c','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(30,'import_ch_842899bce5c1042c_0','revenue',-24500,'USD','ch_842899bce5c1042c','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(31,'import_ch_3e875f7009f2c4f4_0','gateway',4900,'USD','ch_3e875f7009f2c4f4','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(32,'import_ch_3e875f7009f2c4f4_0','revenue',-4900,'USD','ch_3e875f7009f2c4f4','2026-11-28T01:31:31.061+00:00');
INSERT INTO "ledger_entries" VALUES(33,'import_ch_d6b835034fdf8cf3_0','gateway',1200,'GBP','ch_d6b835034fdf8cf3','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(34,'import_ch_d6b835034fdf8cf3_0','revenue',-1200,'GBP','ch_d6b835034fdf8cf3','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(35,'import_ch_ed3d04a261142077_0','gateway',36000,'JPY','ch_ed3d04a261142077','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(36,'import_ch_ed3d04a261142077_0','revenue',-36000,'JPY','ch_ed3d04a261142077','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(37,'import_ch_b26a3cc4d9b9b8fd_0','gateway',1200,'EUR','ch_b26a3cc4d9b9b8fd','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(38,'import_ch_b26a3cc4d9b9b8fd_0','revenue',-1200,'EUR','ch_b26a3cc4d9b9b8fd','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(39,'import_ch_f5ecf6c939ed7180_0','gateway',1200,'EUR','ch_f5ecf6c939ed7180','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(40,'import_ch_f5ecf6c939ed7180_0','revenue',-1200,'EUR','ch_f5ecf6c939ed7180','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(41,'import_ch_0758e34f88568f6e_0','gateway',9800,'USD','ch_0758e34f88568f6e','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(42,'import_ch_0758e34f88568f6e_0','revenue',-9800,'USD','ch_0758e34f88568f6e','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(43,'import_ch_e28d74a32155e27d_0','gateway',9800,'USD','ch_e28d74a32155e27d','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(44,'import_ch_e28d74a32155e27d_0','revenue',-9800,'USD','ch_e28d74a32155e27d','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(45,'import_ch_6e8b4ca5790bfee0_0','gateway',14700,'USD','ch_6e8b4ca5790bfee0','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(46,'import_ch_6e8b4ca5790bfee0_0','revenue',-14700,'USD','ch_6e8b4ca5790bfee0','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(47,'import_ch_b61dc300d0b504de_0','gateway',9800,'GBP','ch_b61dc300d0b504de','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(48,'import_ch_b61dc300d0b504de_0','revenue',-9800,'GBP','ch_b61dc300d0b504de','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(49,'import_ch_9b2558544de4b263_0','gateway',1200,'USD','ch_9b2558544de4b263','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(50,'import_ch_9b2558544de4b263_0','revenue',-1200,'USD','ch_9b2558544de4b263','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(51,'import_ch_51d5060c77b51f49_0','gateway',9800,'GBP','ch_51d5060c77b51f49','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(52,'import_ch_51d5060c77b51f49_0','revenue',-9800,'GBP','ch_51d5060c77b51f49','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(53,'import_ch_50457337d4664964_0','gateway',14750,'KWD','ch_50457337d4664964','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(54,'import_ch_50457337d4664964_0','revenue',-14750,'KWD','ch_50457337d4664964','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(55,'import_ch_c3c2e66eb52e0210_0','gateway',24500,'USD','ch_c3c2e66eb52e0210','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(56,'import_ch_c3c2e66eb52e0210_0','revenue',-24500,'USD','ch_c3c2e66eb52e0210','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(57,'import_ch_05e0f190a284c19c_0','gateway',1200,'USD','ch_05e0f190a284c19c','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(58,'import_ch_05e0f190a284c19c_0','revenue',-1200,'USD','ch_05e0f190a284c19c','2026-11-28T01:31:31.062+00:00');
INSERT INTO "ledger_entries" VALUES(59,'import_ch_4fe4b7b004f9f333_0','gateway',4900,'USD','ch_4fe4b7b004f9f333','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(60,'import_ch_4fe4b7b004f9f333_0','revenue',-4900,'USD','ch_4fe4b7b004f9f333','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(61,'import_ch_d446b1f71a1600aa_0','gateway',4900,'USD','ch_d446b1f71a1600aa','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(62,'import_ch_d446b1f71a1600aa_0','revenue',-4900,'USD','ch_d446b1f71a1600aa','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(63,'import_ch_maya_feb_2_0','gateway',24500,'USD','ch_maya_feb_2','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(64,'import_ch_maya_feb_2_0','revenue',-24500,'USD','ch_maya_feb_2','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(65,'import_ch_maya_feb_1_0','gateway',24500,'USD','ch_maya_feb_1','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(66,'import_ch_maya_feb_1_0','revenue',-24500,'USD','ch_maya_feb_1','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(67,'import_ch_13618908ed269432_0','gateway',4900,'USD','ch_13618908ed269432','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(68,'import_ch_13618908ed269432_0','revenue',-4900,'USD','ch_13618908ed269432','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(69,'import_ch_26d4b00f31d17508_0','gateway',14700,'USD','ch_26d4b00f31d17508','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(70,'import_ch_26d4b00f31d17508_0','revenue',-14700,'USD','ch_26d4b00f31d17508','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(71,'import_ch_kenji_jan_2_0','gateway',36000,'JPY','ch_kenji_jan_2','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(72,'import_ch_kenji_jan_2_0','revenue',-36000,'JPY','ch_kenji_jan_2','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(73,'import_ch_2e84a190e174bc5e_0','gateway',36000,'JPY','ch_2e84a190e174bc5e','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(74,'import_ch_2e84a190e174bc5e_0','revenue',-36000,'JPY','ch_2e84a190e174bc5e','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(75,'import_ch_11b9f97cb589e2be_0','gateway',2900,'USD','ch_11b9f97cb589e2be','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(76,'import_ch_11b9f97cb589e2be_0','revenue',-2900,'USD','ch_11b9f97cb589e2be','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(77,'import_ch_0f48b97066cb80e7_0','gateway',1200,'EUR','ch_0f48b97066cb80e7','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(78,'import_ch_0f48b97066cb80e7_0','revenue',-1200,'EUR','ch_0f48b97066cb80e7','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(79,'import_ch_7671b892b7d8d3dc_0','gateway',1200,'USD','ch_7671b892b7d8d3dc','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(80,'import_ch_7671b892b7d8d3dc_0','revenue',-1200,'USD','ch_7671b892b7d8d3dc','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(81,'import_ch_b71bb8c7a61f480f_0','gateway',60000,'USD','ch_b71bb8c7a61f480f','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(82,'import_ch_b71bb8c7a61f480f_0','revenue',-60000,'USD','ch_b71bb8c7a61f480f','2026-11-28T01:31:31.063+00:00');
INSERT INTO "ledger_entries" VALUES(83,'import_ch_b71bb8c7a61f480f_1','gateway',-15000,'USD','ch_b71bb8c7a61f480f','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(84,'import_ch_b71bb8c7a61f480f_1','revenue',15000,'USD','ch_b71bb8c7a61f480f','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(85,'import_ch_90721c9baa3478d1_0','gateway',9800,'USD','ch_90721c9baa3478d1','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(86,'import_ch_90721c9baa3478d1_0','revenue',-9800,'USD','ch_90721c9baa3478d1','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(87,'import_ch_0abebc9be355f617_0','gateway',9800,'GBP','ch_0abebc9be355f617','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(88,'import_ch_0abebc9be355f617_0','revenue',-9800,'GBP','ch_0abebc9be355f617','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(89,'import_ch_d8bd7ed53dcdb353_0','gateway',1900,'USD','ch_d8bd7ed53dcdb353','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(90,'import_ch_d8bd7ed53dcdb353_0','revenue',-1900,'USD','ch_d8bd7ed53dcdb353','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(91,'import_ch_496b052a9a5acb32_0','gateway',9800,'GBP','ch_496b052a9a5acb32','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(92,'import_ch_496b052a9a5acb32_0','revenue',-9800,'GBP','ch_496b052a9a5acb32','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(93,'import_ch_869491af236e6e5a_0','gateway',9800,'GBP','ch_869491af236e6e5a','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(94,'import_ch_869491af236e6e5a_0','revenue',-9800,'GBP','ch_869491af236e6e5a','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(95,'import_ch_a6d114b8c42df0e0_0','gateway',14750,'KWD','ch_a6d114b8c42df0e0','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(96,'import_ch_a6d114b8c42df0e0_0','revenue',-14750,'KWD','ch_a6d114b8c42df0e0','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(97,'import_ch_d14873ed8f52c4f2_0','gateway',14700,'USD','ch_d14873ed8f52c4f2','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(98,'import_ch_d14873ed8f52c4f2_0','revenue',-14700,'USD','ch_d14873ed8f52c4f2','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(99,'import_ch_73be5fb791f5ffed_0','gateway',1200,'USD','ch_73be5fb791f5ffed','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(100,'import_ch_73be5fb791f5ffed_0','revenue',-1200,'USD','ch_73be5fb791f5ffed','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(101,'import_ch_ad95181912bf771d_0','gateway',1200,'USD','ch_ad95181912bf771d','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(102,'import_ch_ad95181912bf771d_0','revenue',-1200,'USD','ch_ad95181912bf771d','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(103,'import_ch_774fb4d4f773dfed_0','gateway',24500,'USD','ch_774fb4d4f773dfed','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(104,'import_ch_774fb4d4f773dfed_0','revenue',-24500,'USD','ch_774fb4d4f773dfed','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(105,'import_ch_569f7e494080dcbd_0','gateway',1200,'GBP','ch_569f7e494080dcbd','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(106,'import_ch_569f7e494080dcbd_0','revenue',-1200,'GBP','ch_569f7e494080dcbd','2026-11-28T01:31:31.064+00:00');
INSERT INTO "ledger_entries" VALUES(107,'import_ch_dbb6d7a3fd54aae9_0','gateway',36000,'JPY','ch_dbb6d7a3fd54aae9','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(108,'import_ch_dbb6d7a3fd54aae9_0','revenue',-36000,'JPY','ch_dbb6d7a3fd54aae9','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(109,'import_ch_3290c19a23154cef_0','gateway',1200,'EUR','ch_3290c19a23154cef','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(110,'import_ch_3290c19a23154cef_0','revenue',-1200,'EUR','ch_3290c19a23154cef','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(111,'import_ch_10472a7635be0885_0','gateway',9800,'USD','ch_10472a7635be0885','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(112,'import_ch_10472a7635be0885_0','revenue',-9800,'USD','ch_10472a7635be0885','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(113,'import_ch_10472a7635be0885_1','gateway',-9800,'USD','ch_10472a7635be0885','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(114,'import_ch_10472a7635be0885_1','revenue',9800,'USD','ch_10472a7635be0885','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(115,'import_ch_248534ed2cd31e58_0','gateway',14700,'USD','ch_248534ed2cd31e58','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(116,'import_ch_248534ed2cd31e58_0','revenue',-14700,'USD','ch_248534ed2cd31e58','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(117,'import_ch_30accfeb483cd71d_0','gateway',9800,'GBP','ch_30accfeb483cd71d','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(118,'import_ch_30accfeb483cd71d_0','revenue',-9800,'GBP','ch_30accfeb483cd71d','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(119,'import_ch_81c29e18cd854563_0','gateway',1200,'USD','ch_81c29e18cd854563','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(120,'import_ch_81c29e18cd854563_0','revenue',-1200,'USD','ch_81c29e18cd854563','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(121,'import_ch_06a2cdf0a6e83a50_0','gateway',1200,'EUR','ch_06a2cdf0a6e83a50','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(122,'import_ch_06a2cdf0a6e83a50_0','revenue',-1200,'EUR','ch_06a2cdf0a6e83a50','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(123,'import_ch_3311e1552fa26dad_0','gateway',3000,'USD','ch_3311e1552fa26dad','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(124,'import_ch_3311e1552fa26dad_0','revenue',-3000,'USD','ch_3311e1552fa26dad','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(125,'import_ch_3311e1552fa26dad_1','gateway',-3000,'USD','ch_3311e1552fa26dad','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(126,'import_ch_3311e1552fa26dad_1','revenue',3000,'USD','ch_3311e1552fa26dad','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(127,'import_ch_7a46b685681c9e5c_0','gateway',3000,'USD','ch_7a46b685681c9e5c','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(128,'import_ch_7a46b685681c9e5c_0','revenue',-3000,'USD','ch_7a46b685681c9e5c','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(129,'import_ch_aaeefced3a5e08e8_0','gateway',14700,'USD','ch_aaeefced3a5e08e8','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(130,'import_ch_aaeefced3a5e08e8_0','revenue',-14700,'USD','ch_aaeefced3a5e08e8','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(131,'import_ch_8fa0e4c85407dc30_0','gateway',1200,'USD','ch_8fa0e4c85407dc30','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(132,'import_ch_8fa0e4c85407dc30_0','revenue',-1200,'USD','ch_8fa0e4c85407dc30','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(133,'import_ch_669d37629de2fe7e_0','gateway',1200,'USD','ch_669d37629de2fe7e','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(134,'import_ch_669d37629de2fe7e_0','revenue',-1200,'USD','ch_669d37629de2fe7e','2026-11-28T01:31:31.065+00:00');
INSERT INTO "ledger_entries" VALUES(135,'import_ch_087b9f55f3c12a51_0','gateway',24500,'USD','ch_087b9f55f3c12a51','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(136,'import_ch_087b9f55f3c12a51_0','revenue',-24500,'USD','ch_087b9f55f3c12a51','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(137,'import_ch_9803f0b09f6105f5_0','gateway',4900,'USD','ch_9803f0b09f6105f5','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(138,'import_ch_9803f0b09f6105f5_0','revenue',-4900,'USD','ch_9803f0b09f6105f5','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(139,'import_ch_94a546176e2bea5d_0','gateway',36000,'JPY','ch_94a546176e2bea5d','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(140,'import_ch_94a546176e2bea5d_0','revenue',-36000,'JPY','ch_94a546176e2bea5d','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(141,'import_ch_29df9a8e3f1d2139_0','gateway',1200,'EUR','ch_29df9a8e3f1d2139','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(142,'import_ch_29df9a8e3f1d2139_0','revenue',-1200,'EUR','ch_29df9a8e3f1d2139','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(143,'import_ch_a9041221f54e5b85_0','gateway',9800,'USD','ch_a9041221f54e5b85','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(144,'import_ch_a9041221f54e5b85_0','revenue',-9800,'USD','ch_a9041221f54e5b85','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(145,'import_ch_adfcee81bb1203ed_0','gateway',9800,'USD','ch_adfcee81bb1203ed','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(146,'import_ch_adfcee81bb1203ed_0','revenue',-9800,'USD','ch_adfcee81bb1203ed','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(147,'import_ch_176b6fc3441cacb6_0','gateway',1200,'USD','ch_176b6fc3441cacb6','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(148,'import_ch_176b6fc3441cacb6_0','revenue',-1200,'USD','ch_176b6fc3441cacb6','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(149,'import_ch_084b429c5d3d73f2_0','gateway',1200,'USD','ch_084b429c5d3d73f2','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(150,'import_ch_084b429c5d3d73f2_0','revenue',-1200,'USD','ch_084b429c5d3d73f2','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(151,'import_ch_443041d44f5b3e60_0','gateway',1200,'EUR','ch_443041d44f5b3e60','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(152,'import_ch_443041d44f5b3e60_0','revenue',-1200,'EUR','ch_443041d44f5b3e60','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(153,'import_ch_890ca930b1eb1804_0','gateway',9800,'GBP','ch_890ca930b1eb1804','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(154,'import_ch_890ca930b1eb1804_0','revenue',-9800,'GBP','ch_890ca930b1eb1804','2026-11-28T01:31:31.066+00:00');
INSERT INTO "ledger_entries" VALUES(155,'import_ch_9c385bc7f4e1efae_0','gateway',9800,'USD','ch_9c385bc7f4e1efae','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(156,'import_ch_9c385bc7f4e1efae_0','revenue',-9800,'USD','ch_9c385bc7f4e1efae','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(157,'import_ch_1f377efd27f5a270_0','gateway',1200,'USD','ch_1f377efd27f5a270','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(158,'import_ch_1f377efd27f5a270_0','revenue',-1200,'USD','ch_1f377efd27f5a270','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(159,'import_ch_bc47242ae13f8062_0','gateway',24500,'USD','ch_bc47242ae13f8062','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(160,'import_ch_bc47242ae13f8062_0','revenue',-24500,'USD','ch_bc47242ae13f8062','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(161,'import_ch_3f4f00b6a6a13b94_0','gateway',4900,'USD','ch_3f4f00b6a6a13b94','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(162,'import_ch_3f4f00b6a6a13b94_0','revenue',-4900,'USD','ch_3f4f00b6a6a13b94','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(163,'import_ch_118feb0ab2ebffbe_0','gateway',1200,'GBP','ch_118feb0ab2ebffbe','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(164,'import_ch_118feb0ab2ebffbe_0','revenue',-1200,'GBP','ch_118feb0ab2ebffbe','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(165,'import_ch_cacf67ae72f6c78d_0','gateway',14700,'USD','ch_cacf67ae72f6c78d','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(166,'import_ch_cacf67ae72f6c78d_0','revenue',-14700,'USD','ch_cacf67ae72f6c78d','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(167,'import_ch_b765b60444731a39_0','gateway',2900,'USD','ch_b765b60444731a39','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(168,'import_ch_b765b60444731a39_0','revenue',-2900,'USD','ch_b765b60444731a39','2026-11-28T01:31:31.067+00:00');
INSERT INTO "ledger_entries" VALUES(169,'import_ch_7b2d99923048ec06_0','gateway',1200,'EUR','ch_7b2d99923048ec06','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(170,'import_ch_7b2d99923048ec06_0','revenue',-1200,'EUR','ch_7b2d99923048ec06','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(171,'import_ch_7958ba944a93f473_0','gateway',1200,'USD','ch_7958ba944a93f473','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(172,'import_ch_7958ba944a93f473_0','revenue',-1200,'USD','ch_7958ba944a93f473','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(173,'import_ch_0c87ff017773ecaf_0','gateway',9800,'USD','ch_0c87ff017773ecaf','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(174,'import_ch_0c87ff017773ecaf_0','revenue',-9800,'USD','ch_0c87ff017773ecaf','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(175,'import_ch_bcd9f47d0f358060_0','gateway',9800,'USD','ch_bcd9f47d0f358060','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(176,'import_ch_bcd9f47d0f358060_0','revenue',-9800,'USD','ch_bcd9f47d0f358060','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(177,'import_ch_cb4fe940ffcc3c13_0','gateway',1200,'EUR','ch_cb4fe940ffcc3c13','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(178,'import_ch_cb4fe940ffcc3c13_0','revenue',-1200,'EUR','ch_cb4fe940ffcc3c13','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(179,'import_ch_97e7ecef003e7db4_0','gateway',9800,'GBP','ch_97e7ecef003e7db4','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(180,'import_ch_97e7ecef003e7db4_0','revenue',-9800,'GBP','ch_97e7ecef003e7db4','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(181,'import_ch_3e28239c20f47030_0','gateway',9800,'GBP','ch_3e28239c20f47030','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(182,'import_ch_3e28239c20f47030_0','revenue',-9800,'GBP','ch_3e28239c20f47030','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(183,'import_ch_8802e411d939674c_0','gateway',14700,'USD','ch_8802e411d939674c','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(184,'import_ch_8802e411d939674c_0','revenue',-14700,'USD','ch_8802e411d939674c','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(185,'import_ch_f2f7230688cee24e_0','gateway',1200,'USD','ch_f2f7230688cee24e','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(186,'import_ch_f2f7230688cee24e_0','revenue',-1200,'USD','ch_f2f7230688cee24e','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(187,'import_ch_8d67bb99016f1b2b_0','gateway',9800,'USD','ch_8d67bb99016f1b2b','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(188,'import_ch_8d67bb99016f1b2b_0','revenue',-9800,'USD','ch_8d67bb99016f1b2b','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(189,'import_ch_246643491bd4f504_0','gateway',24500,'USD','ch_246643491bd4f504','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(190,'import_ch_246643491bd4f504_0','revenue',-24500,'USD','ch_246643491bd4f504','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(191,'import_ch_e4dda8e7721f8784_0','gateway',4900,'USD','ch_e4dda8e7721f8784','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(192,'import_ch_e4dda8e7721f8784_0','revenue',-4900,'USD','ch_e4dda8e7721f8784','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(193,'import_ch_8075fb7cc8e6aadd_0','gateway',14700,'USD','ch_8075fb7cc8e6aadd','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(194,'import_ch_8075fb7cc8e6aadd_0','revenue',-14700,'USD','ch_8075fb7cc8e6aadd','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(195,'import_ch_2b08f7177b6d461d_0','gateway',2900,'USD','ch_2b08f7177b6d461d','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(196,'import_ch_2b08f7177b6d461d_0','revenue',-2900,'USD','ch_2b08f7177b6d461d','2026-11-28T01:31:31.068+00:00');
INSERT INTO "ledger_entries" VALUES(197,'import_ch_e89349c41df76ac0_0','gateway',1200,'EUR','ch_e89349c41df76ac0','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(198,'import_ch_e89349c41df76ac0_0','revenue',-1200,'EUR','ch_e89349c41df76ac0','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(199,'import_ch_b90d914b2a7fcaec_0','gateway',1200,'USD','ch_b90d914b2a7fcaec','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(200,'import_ch_b90d914b2a7fcaec_0','revenue',-1200,'USD','ch_b90d914b2a7fcaec','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(201,'import_ch_8df823890806b137_0','gateway',14700,'USD','ch_8df823890806b137','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(202,'import_ch_8df823890806b137_0','revenue',-14700,'USD','ch_8df823890806b137','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(203,'import_ch_a370e8d762f31ee0_0','gateway',1200,'USD','ch_a370e8d762f31ee0','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(204,'import_ch_a370e8d762f31ee0_0','revenue',-1200,'USD','ch_a370e8d762f31ee0','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(205,'import_ch_8b22371e52667ecf_0','gateway',1200,'EUR','ch_8b22371e52667ecf','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(206,'import_ch_8b22371e52667ecf_0','revenue',-1200,'EUR','ch_8b22371e52667ecf','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(207,'import_ch_b68a3d45fe236fbd_0','gateway',14700,'USD','ch_b68a3d45fe236fbd','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(208,'import_ch_b68a3d45fe236fbd_0','revenue',-14700,'USD','ch_b68a3d45fe236fbd','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(209,'import_ch_c8a576aa651cd2ff_0','gateway',1200,'USD','ch_c8a576aa651cd2ff','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(210,'import_ch_c8a576aa651cd2ff_0','revenue',-1200,'USD','ch_c8a576aa651cd2ff','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(211,'import_ch_32e1f876a9715f06_0','gateway',9800,'USD','ch_32e1f876a9715f06','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(212,'import_ch_32e1f876a9715f06_0','revenue',-9800,'USD','ch_32e1f876a9715f06','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(213,'import_ch_e4fb391c7d4d01f3_0','gateway',1200,'USD','ch_e4fb391c7d4d01f3','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(214,'import_ch_e4fb391c7d4d01f3_0','revenue',-1200,'USD','ch_e4fb391c7d4d01f3','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(215,'import_ch_3171c67ecd15be84_0','gateway',24500,'USD','ch_3171c67ecd15be84','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(216,'import_ch_3171c67ecd15be84_0','revenue',-24500,'USD','ch_3171c67ecd15be84','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(217,'import_ch_eedb0c4036ba13da_0','gateway',4900,'USD','ch_eedb0c4036ba13da','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(218,'import_ch_eedb0c4036ba13da_0','revenue',-4900,'USD','ch_eedb0c4036ba13da','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(219,'import_ch_okafor_dup_0','gateway',478800,'USD','ch_okafor_dup','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(220,'import_ch_okafor_dup_0','revenue',-478800,'USD','ch_okafor_dup','2026-11-28T01:31:31.069+00:00');
INSERT INTO "ledger_entries" VALUES(221,'import_ch_38a9e43aeb9ad515_0','gateway',478800,'USD','ch_38a9e43aeb9ad515','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(222,'import_ch_38a9e43aeb9ad515_0','revenue',-478800,'USD','ch_38a9e43aeb9ad515','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(223,'import_ch_5901bb735d07b3bb_0','gateway',1200,'GBP','ch_5901bb735d07b3bb','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(224,'import_ch_5901bb735d07b3bb_0','revenue',-1200,'GBP','ch_5901bb735d07b3bb','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(225,'import_ch_2d69160cafc8fffe_0','gateway',2900,'USD','ch_2d69160cafc8fffe','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(226,'import_ch_2d69160cafc8fffe_0','revenue',-2900,'USD','ch_2d69160cafc8fffe','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(227,'import_ch_4e0589a6fb26ba0e_0','gateway',1200,'EUR','ch_4e0589a6fb26ba0e','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(228,'import_ch_4e0589a6fb26ba0e_0','revenue',-1200,'EUR','ch_4e0589a6fb26ba0e','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(229,'import_ch_083d9e09bd954ee1_0','gateway',9800,'USD','ch_083d9e09bd954ee1','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(230,'import_ch_083d9e09bd954ee1_0','revenue',-9800,'USD','ch_083d9e09bd954ee1','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(231,'import_ch_5111a1945aa02db8_0','gateway',9800,'USD','ch_5111a1945aa02db8','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(232,'import_ch_5111a1945aa02db8_0','revenue',-9800,'USD','ch_5111a1945aa02db8','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(233,'import_ch_78bb928cb88d69b3_0','gateway',14700,'USD','ch_78bb928cb88d69b3','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(234,'import_ch_78bb928cb88d69b3_0','revenue',-14700,'USD','ch_78bb928cb88d69b3','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(235,'import_ch_1c94e61f9bee7abb_0','gateway',1200,'USD','ch_1c94e61f9bee7abb','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(236,'import_ch_1c94e61f9bee7abb_0','revenue',-1200,'USD','ch_1c94e61f9bee7abb','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(237,'import_ch_8d0a4e9d2b86a671_0','gateway',1200,'USD','ch_8d0a4e9d2b86a671','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(238,'import_ch_8d0a4e9d2b86a671_0','revenue',-1200,'USD','ch_8d0a4e9d2b86a671','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(239,'import_ch_828aaab7e76b9050_0','gateway',14700,'USD','ch_828aaab7e76b9050','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(240,'import_ch_828aaab7e76b9050_0','revenue',-14700,'USD','ch_828aaab7e76b9050','2026-11-28T01:31:31.070+00:00');
INSERT INTO "ledger_entries" VALUES(241,'import_ch_0695486c5a175e9b_0','gateway',1200,'USD','ch_0695486c5a175e9b','2026-11-28T01:31:31.073+00:00');
INSERT INTO "ledger_entries" VALUES(242,'import_ch_0695486c5a175e9b_0','revenue',-1200,'USD','ch_0695486c5a175e9b','2026-11-28T01:31:31.073+00:00');
INSERT INTO "ledger_entries" VALUES(243,'import_ch_0753efe1e82358b2_0','gateway',24500,'USD','ch_0753efe1e82358b2','2026-11-28T01:31:31.073+00:00');
INSERT INTO "ledger_entries" VALUES(244,'import_ch_0753efe1e82358b2_0','revenue',-24500,'USD','ch_0753efe1e82358b2','2026-11-28T01:31:31.073+00:00');
INSERT INTO "ledger_entries" VALUES(245,'rf_4abf3a6ab8d28bfe4e26','gateway',-200,'USD','ch_maya_feb_1','2026-11-28T01:31:31.166+00:00');
INSERT INTO "ledger_entries" VALUES(246,'rf_4abf3a6ab8d28bfe4e26','revenue',200,'USD','ch_maya_feb_1','2026-11-28T01:31:31.166+00:00');
CREATE TABLE refunds (
	refund_id TEXT NOT NULL, 
	transaction_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	amount_minor BIGINT NOT NULL CHECK (amount_minor > 0), 
	currency TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'declined')), 
	decline_reason TEXT, 
	gateway_refund_id TEXT, 
	created_at TEXT NOT NULL, 
	expected_arrival TEXT, 
	lease_owner TEXT, 
	lease_until TEXT, 
	PRIMARY KEY (refund_id), 
	FOREIGN KEY(transaction_id) REFERENCES transactions (transaction_id)
);
INSERT INTO "refunds" VALUES('rf_4abf3a6ab8d28bfe4e26','ch_maya_feb_1','cust_12345',200,'USD','charged twice','succeeded',NULL,'book_rf_4abf3a6ab8d28bfe4e26','2026-11-28T01:31:31.108+00:00','2026-12-11',NULL,NULL);
INSERT INTO "refunds" VALUES('rf_5c3b96a61bae4228da51','ch_maya_feb_1','cust_12345',300,'USD','charged twice','pending',NULL,NULL,'2026-11-28T01:31:35.999+00:00',NULL,'92937c699a62cea4','2026-11-28T01:31:37.042+00:00');
CREATE TABLE transactions (
	transaction_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	customer_name TEXT, 
	created_at TEXT NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	currency TEXT NOT NULL, 
	status TEXT NOT NULL, 
	captured_minor BIGINT NOT NULL, 
	refunded_minor BIGINT DEFAULT '0' NOT NULL, 
	reserved_minor BIGINT DEFAULT '0' NOT NULL, 
	description TEXT, 
	invoice_id TEXT, 
	method_kind TEXT NOT NULL, 
	method_brand TEXT, 
	method_last4 TEXT, 
	card_id TEXT, 
	failure_reason TEXT, 
	dispute_status TEXT, 
	settled_on TEXT, 
	settlement_estimated INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (transaction_id), 
	CONSTRAINT captured_within_amount CHECK (amount_minor > 0 AND captured_minor BETWEEN 0 AND amount_minor), 
	CONSTRAINT refunded_within_captured CHECK (refunded_minor >= 0 AND reserved_minor >= 0 AND refunded_minor + reserved_minor <= captured_minor), 
	FOREIGN KEY(customer_id) REFERENCES customers (customer_id)
);
INSERT INTO "transactions" VALUES('ch_f93fa16bf873230a','cust_61000',NULL,'2026-03-30T23:50:00+00:00',2900,'USD','pending',0,0,0,'Harbor plan, monthly',NULL,'card','Visa','1111','card_2d711642b726b044',NULL,NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_b10b7f5e00e6c95d','guest_ch_b10b7f5e00e6c95d',NULL,'2026-03-28T10:00:00+00:00',1500,'USD','uncaptured',0,0,0,'Donation, "no account"',NULL,'card','Visa','2222','card_a1fce4363854ff88',NULL,NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_ab4316bc990f813e','cust_61185','Farah Petrov','2026-03-25T14:24:45+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61185_202603','card','Visa','9269','card_f0345a978b377367',NULL,NULL,'2026-03-27',1);
INSERT INTO "transactions" VALUES('ch_97b8df69e50f8e07','cust_48230','Kenji Watanabe','2026-03-25T01:00:44+00:00',36000,'JPY','succeeded',36000,0,0,'Harbor Team plan, 4 seats','in_kenji_202603','card','JCB','0505','card_57f62077f2be1597',NULL,NULL,'2026-03-27',1);
INSERT INTO "transactions" VALUES('ch_6a5b11fe980ff5a2','cust_31108','Sofia Marchetti','2026-03-17T18:05:52+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202603','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2026-03-19',1);
INSERT INTO "transactions" VALUES('ch_eadab4f988f5c589','cust_61296','Ivo Rossi','2026-03-15T20:53:37+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61296_202603','card','Visa','7499','card_087ed373c14cbe6a',NULL,NULL,'2026-03-17',1);
INSERT INTO "transactions" VALUES('ch_b08aac340b38e8eb','cust_61444','Mina Eriksen','2026-03-14T23:59:49+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61444_202603','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2026-03-17',1);
INSERT INTO "transactions" VALUES('ch_1cd8ddc9a939d772','cust_61000','Ada Adler','2026-03-14T11:16:34+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61000_202603','card','Mastercard','1745','card_1d6788089352387a',NULL,NULL,'2026-03-17',1);
INSERT INTO "transactions" VALUES('ch_89b96af33b56f1c1','cust_61407','Liam Silva','2026-03-13T18:08:13+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61407_202603','card','Visa','4643','card_c7a736d90d94cd06',NULL,NULL,'2026-03-17',1);
INSERT INTO "transactions" VALUES('ch_96fe584fabca2388','cust_61592','Quinn Moreau','2026-03-10T13:55:49+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61592_202603','card','American Express','0960','card_55764fa401e9c56f',NULL,NULL,'2026-03-12',1);
INSERT INTO "transactions" VALUES('ch_bc84845e4098020f','cust_61259','Hana Jansen','2026-03-09T23:02:56+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61259_202603','card','Visa','6382','card_d2dc624001c9bda8',NULL,NULL,'2026-03-11',1);
INSERT INTO "transactions" VALUES('ch_3cb5cca39cb91702','cust_61037','Ben Haddad','2026-03-09T16:41:49+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61037_202603','card','American Express','3952','card_34e93f8ef4b64d42',NULL,NULL,'2026-03-11',1);
INSERT INTO "transactions" VALUES('ch_e25b453f7644dd01','cust_61148','Emre Ito','2026-03-09T13:20:53+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61148_202603','card','American Express','6308','card_2a4bb4913fce672e',NULL,NULL,'2026-03-11',1);
INSERT INTO "transactions" VALUES('ch_df538e9fe16e0b57','cust_55021','Noura Al-Sabah','2026-03-08T12:00:17+00:00',14750,'KWD','succeeded',14750,0,0,'Harbor Personal, monthly','in_noura_202603','card','Visa','7777','card_e3fa6f0a978fd6fe',NULL,NULL,'2026-03-10',1);
INSERT INTO "transactions" VALUES('ch_bb282270256e3e15','cust_61074','Chiara Ortega','2026-03-08T03:06:39+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61074_202603','card','Mastercard','1584','card_9e8680dba7cded40',NULL,NULL,'2026-03-10',1);
INSERT INTO "transactions" VALUES('ch_7e2b685eec28ab3f','cust_61555','Priya Fontaine','2026-03-06T08:53:05+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61555_202603','card','American Express','0533','card_8dfa27459f7aebe0',NULL,NULL,'2026-03-10',1);
INSERT INTO "transactions" VALUES('ch_842899bce5c1042c','cust_12345','Maya Lindqvist','2026-03-03T09:14:40+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202603','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-03-05',1);
INSERT INTO "transactions" VALUES('ch_3e875f7009f2c4f4','cust_61333','Jun Duarte','2026-03-01T19:05:34+00:00',4900,'USD','succeeded',4900,0,0,'Harbor plan, monthly','in_61333_202603','card','Visa','6970','card_54a6464daf12f545',NULL,NULL,'2026-03-03',1);
INSERT INTO "transactions" VALUES('ch_d6b835034fdf8cf3','cust_61629','Rosa Weber','2026-02-26T02:06:49+00:00',1200,'GBP','succeeded',1200,0,0,'Harbor plan, monthly','in_61629_202602','card','Mastercard','6839','card_81a8fb31bd8acf2c',NULL,NULL,'2026-03-02',1);
INSERT INTO "transactions" VALUES('ch_ed3d04a261142077','cust_48230','Kenji Watanabe','2026-02-25T01:00:49+00:00',36000,'JPY','succeeded',36000,0,0,'Harbor Team plan, 4 seats','in_kenji_202602','card','JCB','0505','card_57f62077f2be1597',NULL,NULL,'2026-02-27',1);
INSERT INTO "transactions" VALUES('ch_b26a3cc4d9b9b8fd','cust_31108','Sofia Marchetti','2026-02-17T18:20:00+00:00',1200,'EUR','succeeded',1200,0,0,'Gift card',NULL,'card','Visa','8812','card_c15ef7c7465deaef',NULL,NULL,'2026-02-19',1);
INSERT INTO "transactions" VALUES('ch_f5ecf6c939ed7180','cust_31108','Sofia Marchetti','2026-02-17T18:05:43+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202602','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2026-02-19',1);
INSERT INTO "transactions" VALUES('ch_0758e34f88568f6e','cust_61222','Goran Costa','2026-02-15T18:48:57+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61222_202602','card','Mastercard','0331','card_010b2db4e55dbc5e',NULL,NULL,'2026-02-17',1);
INSERT INTO "transactions" VALUES('ch_e28d74a32155e27d','cust_61444','Mina Eriksen','2026-02-14T23:47:42+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61444_202602','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2026-02-17',1);
INSERT INTO "transactions" VALUES('ch_6e8b4ca5790bfee0','cust_61000','Ada Adler','2026-02-14T11:17:45+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61000_202602','card','Mastercard','1745','card_1d6788089352387a',NULL,NULL,'2026-02-17',1);
INSERT INTO "transactions" VALUES('ch_b61dc300d0b504de','cust_61407','Liam Silva','2026-02-13T18:14:42+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61407_202602','card','Visa','4643','card_c7a736d90d94cd06',NULL,NULL,'2026-02-17',1);
INSERT INTO "transactions" VALUES('ch_9b2558544de4b263','cust_61592','Quinn Moreau','2026-02-10T13:09:34+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61592_202602','card','American Express','0960','card_55764fa401e9c56f',NULL,NULL,'2026-02-12',1);
INSERT INTO "transactions" VALUES('ch_51d5060c77b51f49','cust_61037','Ben Haddad','2026-02-09T16:07:23+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61037_202602','card','American Express','3952','card_34e93f8ef4b64d42',NULL,NULL,'2026-02-11',1);
INSERT INTO "transactions" VALUES('ch_50457337d4664964','cust_55021','Noura Al-Sabah','2026-02-08T12:00:04+00:00',14750,'KWD','succeeded',14750,0,0,'Harbor Personal, monthly','in_noura_202602','card','Visa','7777','card_e3fa6f0a978fd6fe',NULL,NULL,'2026-02-10',1);
INSERT INTO "transactions" VALUES('ch_c3c2e66eb52e0210','cust_12345','Maya Lindqvist','2026-02-05T11:30:00+00:00',24500,'USD','succeeded',24500,0,0,'Workshop: migrating to Harbor','in_maya_workshop','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-02-09',1);
INSERT INTO "transactions" VALUES('ch_05e0f190a284c19c','cust_61481','Noor Lopez','2026-02-03T15:31:44+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61481_202602','card','American Express','5646','card_9be1b4803df24ff4',NULL,NULL,'2026-02-05',1);
INSERT INTO "transactions" VALUES('ch_4fe4b7b004f9f333','cust_12345','Maya Lindqvist','2026-02-03T15:03:40+00:00',4900,'USD','succeeded',4900,0,0,'Harbor seat, 1 month: Jonas','in_maya_seat_2','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-02-05',1);
INSERT INTO "transactions" VALUES('ch_d446b1f71a1600aa','cust_12345','Maya Lindqvist','2026-02-03T15:02:11+00:00',4900,'USD','succeeded',4900,0,0,'Harbor seat, 1 month: Elin','in_maya_seat_1','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-02-05',1);
INSERT INTO "transactions" VALUES('ch_maya_feb_2','cust_12345','Maya Lindqvist','2026-02-03T09:17:52+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202602','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-02-05',1);
INSERT INTO "transactions" VALUES('ch_maya_feb_1','cust_12345','Maya Lindqvist','2026-02-03T09:14:07+00:00',24500,'USD','succeeded',24500,200,300,'Harbor Team plan, 5 seats','in_maya_202602','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-02-05',1);
INSERT INTO "transactions" VALUES('ch_13618908ed269432','cust_61333','Jun Duarte','2026-02-01T19:51:12+00:00',4900,'USD','succeeded',4900,0,0,'Harbor plan, monthly','in_61333_202602','card','Visa','6970','card_54a6464daf12f545',NULL,NULL,'2026-02-03',1);
INSERT INTO "transactions" VALUES('ch_26d4b00f31d17508','cust_61185','Farah Petrov','2026-01-25T14:22:15+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61185_202601','card','Visa','9269','card_f0345a978b377367',NULL,NULL,'2026-01-27',1);
INSERT INTO "transactions" VALUES('ch_kenji_jan_2','cust_48230','Kenji Watanabe','2026-01-25T01:04:30+00:00',36000,'JPY','succeeded',36000,0,0,'Harbor Team plan, 4 seats','in_kenji_202601','card','JCB','0505','card_57f62077f2be1597',NULL,NULL,'2026-01-27',1);
INSERT INTO "transactions" VALUES('ch_2e84a190e174bc5e','cust_48230','Kenji Watanabe','2026-01-25T01:00:53+00:00',36000,'JPY','succeeded',36000,0,0,'Harbor Team plan, 4 seats','in_kenji_202601','card','JCB','0505','card_57f62077f2be1597',NULL,NULL,'2026-01-27',1);
INSERT INTO "transactions" VALUES('ch_11b9f97cb589e2be','cust_61111','Dinh Brandt','2026-01-24T04:12:28+00:00',2900,'USD','succeeded',2900,0,0,'Harbor plan, monthly','in_61111_202601','card','American Express','8959','card_743bd70a692317c5',NULL,NULL,'2026-01-27',1);
INSERT INTO "transactions" VALUES('ch_0f48b97066cb80e7','cust_31108','Sofia Marchetti','2026-01-17T18:05:07+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202601','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2026-01-20',1);
INSERT INTO "transactions" VALUES('ch_7671b892b7d8d3dc','cust_61296','Ivo Rossi','2026-01-15T20:47:05+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61296_202601','card','Visa','7499','card_087ed373c14cbe6a',NULL,NULL,'2026-01-19',1);
INSERT INTO "transactions" VALUES('ch_b71bb8c7a61f480f','cust_20417','Daniel Okafor','2026-01-15T07:30:00+00:00',60000,'USD','succeeded',60000,15000,0,'Set-up, two days','in_okafor_setup','card','Mastercard','5454','card_80e4d1617020e166',NULL,NULL,'2026-01-19',1);
INSERT INTO "transactions" VALUES('ch_90721c9baa3478d1','cust_61444','Mina Eriksen','2026-01-14T23:41:17+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61444_202601','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2026-01-16',1);
INSERT INTO "transactions" VALUES('ch_0abebc9be355f617','cust_61407','Liam Silva','2026-01-13T18:43:56+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61407_202601','card','Visa','4643','card_c7a736d90d94cd06',NULL,NULL,'2026-01-15',1);
INSERT INTO "transactions" VALUES('ch_d8bd7ed53dcdb353','cust_12345','Maya Lindqvist','2026-01-12T08:09:30+00:00',1900,'USD','succeeded',1900,0,0,'Storage pack','in_maya_storage','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-01-14',1);
INSERT INTO "transactions" VALUES('ch_66ffcac23a733aa5','cust_12345','Maya Lindqvist','2026-01-12T08:00:05+00:00',1900,'USD','failed',0,0,0,'Storage pack','in_maya_storage','card','Visa','4242','card_a95db5b0ac159e43','insufficient_funds',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_496b052a9a5acb32','cust_61037','Ben Haddad','2026-01-09T16:03:02+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61037_202601','card','American Express','3952','card_34e93f8ef4b64d42',NULL,NULL,'2026-01-13',1);
INSERT INTO "transactions" VALUES('ch_869491af236e6e5a','cust_61148','Emre Ito','2026-01-09T13:49:15+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61148_202601','card','American Express','6308','card_2a4bb4913fce672e',NULL,NULL,'2026-01-13',1);
INSERT INTO "transactions" VALUES('ch_a6d114b8c42df0e0','cust_55021','Noura Al-Sabah','2026-01-08T12:00:45+00:00',14750,'KWD','succeeded',14750,0,0,'Harbor Personal, monthly','in_noura_202601','card','Visa','7777','card_e3fa6f0a978fd6fe',NULL,NULL,'2026-01-12',1);
INSERT INTO "transactions" VALUES('ch_d14873ed8f52c4f2','cust_61518','Omar Tanaka','2026-01-08T04:41:26+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61518_202601','card','Mastercard','3268','card_29a298f349a953ce',NULL,NULL,'2026-01-12',1);
INSERT INTO "transactions" VALUES('ch_73be5fb791f5ffed','cust_61074','Chiara Ortega','2026-01-08T03:56:45+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61074_202601','card','Mastercard','1584','card_9e8680dba7cded40',NULL,NULL,'2026-01-12',1);
INSERT INTO "transactions" VALUES('ch_ad95181912bf771d','cust_61481','Noor Lopez','2026-01-03T15:54:21+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61481_202601','card','American Express','5646','card_9be1b4803df24ff4',NULL,NULL,'2026-01-06',1);
INSERT INTO "transactions" VALUES('ch_774fb4d4f773dfed','cust_12345','Maya Lindqvist','2026-01-03T09:14:58+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202601','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2026-01-06',1);
INSERT INTO "transactions" VALUES('ch_569f7e494080dcbd','cust_61629','Rosa Weber','2025-12-26T02:18:58+00:00',1200,'GBP','succeeded',1200,0,0,'Harbor plan, monthly','in_61629_202512','card','Mastercard','6839','card_81a8fb31bd8acf2c',NULL,NULL,'2025-12-30',1);
INSERT INTO "transactions" VALUES('ch_dbb6d7a3fd54aae9','cust_48230','Kenji Watanabe','2025-12-25T01:00:52+00:00',36000,'JPY','succeeded',36000,0,0,'Harbor Team plan, 4 seats','in_kenji_202512','card','JCB','0505','card_57f62077f2be1597',NULL,NULL,'2025-12-29',1);
INSERT INTO "transactions" VALUES('ch_3290c19a23154cef','cust_31108','Sofia Marchetti','2025-12-17T18:05:56+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202512','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2025-12-19',1);
INSERT INTO "transactions" VALUES('ch_10472a7635be0885','cust_61444','Mina Eriksen','2025-12-14T23:15:53+00:00',9800,'USD','succeeded',9800,9800,0,'Harbor plan, monthly','in_61444_202512','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2025-12-16',1);
INSERT INTO "transactions" VALUES('ch_248534ed2cd31e58','cust_61000','Ada Adler','2025-12-14T11:10:58+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61000_202512','card','Mastercard','1745','card_1d6788089352387a',NULL,NULL,'2025-12-16',1);
INSERT INTO "transactions" VALUES('ch_30accfeb483cd71d','cust_61407','Liam Silva','2025-12-13T18:46:57+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61407_202512','card','Visa','4643','card_c7a736d90d94cd06',NULL,NULL,'2025-12-16',1);
INSERT INTO "transactions" VALUES('ch_81c29e18cd854563','cust_61592','Quinn Moreau','2025-12-10T13:32:29+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61592_202512','card','American Express','0960','card_55764fa401e9c56f',NULL,NULL,'2025-12-12',1);
INSERT INTO "transactions" VALUES('ch_06a2cdf0a6e83a50','cust_61370','Katya Kowalski','2025-12-09T19:40:57+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor plan, monthly','in_61370_202512','card','American Express','6418','card_199ea8a936998604',NULL,NULL,'2025-12-11',1);
INSERT INTO "transactions" VALUES('ch_3311e1552fa26dad','cust_12345','Maya Lindqvist','2025-12-09T10:01:10+00:00',3000,'USD','succeeded',3000,3000,0,'Domain renewal','in_maya_domain','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-12-11',1);
INSERT INTO "transactions" VALUES('ch_7a46b685681c9e5c','cust_12345','Maya Lindqvist','2025-12-09T10:00:00+00:00',3000,'USD','succeeded',3000,0,0,'Domain renewal','in_maya_domain','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-12-11',1);
INSERT INTO "transactions" VALUES('ch_aaeefced3a5e08e8','cust_61518','Omar Tanaka','2025-12-08T04:06:13+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61518_202512','card','Mastercard','3268','card_29a298f349a953ce',NULL,NULL,'2025-12-10',1);
INSERT INTO "transactions" VALUES('ch_8fa0e4c85407dc30','cust_61074','Chiara Ortega','2025-12-08T03:01:46+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61074_202512','card','Mastercard','1584','card_9e8680dba7cded40',NULL,NULL,'2025-12-10',1);
INSERT INTO "transactions" VALUES('ch_669d37629de2fe7e','cust_61481','Noor Lopez','2025-12-03T15:40:57+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61481_202512','card','American Express','5646','card_9be1b4803df24ff4',NULL,NULL,'2025-12-05',1);
INSERT INTO "transactions" VALUES('ch_087b9f55f3c12a51','cust_12345','Maya Lindqvist','2025-12-03T09:14:47+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202512','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-12-05',1);
INSERT INTO "transactions" VALUES('ch_9803f0b09f6105f5','cust_61333','Jun Duarte','2025-12-01T19:01:12+00:00',4900,'USD','succeeded',4900,0,0,'Harbor plan, monthly','in_61333_202512','card','Visa','6970','card_54a6464daf12f545',NULL,NULL,'2025-12-03',1);
INSERT INTO "transactions" VALUES('ch_94a546176e2bea5d','cust_48230','Kenji Watanabe','2025-11-25T01:00:12+00:00',36000,'JPY','succeeded',36000,0,0,'Harbor Team plan, 4 seats','in_kenji_202511','card','JCB','0505','card_57f62077f2be1597',NULL,NULL,'2025-11-27',1);
INSERT INTO "transactions" VALUES('ch_29df9a8e3f1d2139','cust_31108','Sofia Marchetti','2025-11-17T18:05:37+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202511','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2025-11-19',1);
INSERT INTO "transactions" VALUES('ch_a9041221f54e5b85','cust_61222','Goran Costa','2025-11-15T18:32:16+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61222_202511','card','Mastercard','0331','card_010b2db4e55dbc5e',NULL,NULL,'2025-11-18',1);
INSERT INTO "transactions" VALUES('ch_adfcee81bb1203ed','cust_61444','Mina Eriksen','2025-11-14T23:48:58+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61444_202511','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2025-11-18',1);
INSERT INTO "transactions" VALUES('ch_176b6fc3441cacb6','cust_61592','Quinn Moreau','2025-11-10T13:15:00+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61592_202511','card','American Express','0960','card_55764fa401e9c56f',NULL,NULL,'2025-11-12',1);
INSERT INTO "transactions" VALUES('ch_084b429c5d3d73f2','cust_61259','Hana Jansen','2025-11-09T23:34:26+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61259_202511','card','Visa','6382','card_d2dc624001c9bda8',NULL,NULL,'2025-11-11',1);
INSERT INTO "transactions" VALUES('ch_443041d44f5b3e60','cust_61370','Katya Kowalski','2025-11-09T19:31:08+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor plan, monthly','in_61370_202511','card','American Express','6418','card_199ea8a936998604',NULL,NULL,'2025-11-11',1);
INSERT INTO "transactions" VALUES('ch_890ca930b1eb1804','cust_61148','Emre Ito','2025-11-09T13:35:01+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61148_202511','card','American Express','6308','card_2a4bb4913fce672e',NULL,NULL,'2025-11-11',1);
INSERT INTO "transactions" VALUES('ch_9c385bc7f4e1efae','cust_61555','Priya Fontaine','2025-11-06T08:36:32+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61555_202511','card','American Express','0533','card_8dfa27459f7aebe0',NULL,NULL,'2025-11-10',1);
INSERT INTO "transactions" VALUES('ch_1f377efd27f5a270','cust_61481','Noor Lopez','2025-11-03T15:42:49+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61481_202511','card','American Express','5646','card_9be1b4803df24ff4',NULL,NULL,'2025-11-05',1);
INSERT INTO "transactions" VALUES('ch_bc47242ae13f8062','cust_12345','Maya Lindqvist','2025-11-03T09:14:19+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202511','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-11-05',1);
INSERT INTO "transactions" VALUES('ch_3f4f00b6a6a13b94','cust_61333','Jun Duarte','2025-11-01T19:00:09+00:00',4900,'USD','succeeded',4900,0,0,'Harbor plan, monthly','in_61333_202511','card','Visa','6970','card_54a6464daf12f545',NULL,NULL,'2025-11-04',1);
INSERT INTO "transactions" VALUES('ch_118feb0ab2ebffbe','cust_61629','Rosa Weber','2025-10-26T02:30:53+00:00',1200,'GBP','succeeded',1200,0,0,'Harbor plan, monthly','in_61629_202510','card','Mastercard','6839','card_81a8fb31bd8acf2c',NULL,NULL,'2025-10-28',1);
INSERT INTO "transactions" VALUES('ch_cacf67ae72f6c78d','cust_61185','Farah Petrov','2025-10-25T14:57:12+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61185_202510','card','Visa','9269','card_f0345a978b377367',NULL,NULL,'2025-10-28',1);
INSERT INTO "transactions" VALUES('ch_b765b60444731a39','cust_61111','Dinh Brandt','2025-10-24T04:24:22+00:00',2900,'USD','succeeded',2900,0,0,'Harbor plan, monthly','in_61111_202510','card','American Express','8959','card_743bd70a692317c5',NULL,NULL,'2025-10-28',1);
INSERT INTO "transactions" VALUES('ch_7b2d99923048ec06','cust_31108','Sofia Marchetti','2025-10-17T18:05:51+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202510','card','Visa','0341','card_86846e84f9bfb205',NULL,'won','2025-10-21',1);
INSERT INTO "transactions" VALUES('ch_7958ba944a93f473','cust_61296','Ivo Rossi','2025-10-15T20:43:55+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61296_202510','card','Visa','7499','card_087ed373c14cbe6a',NULL,NULL,'2025-10-17',1);
INSERT INTO "transactions" VALUES('ch_93f2db5674133eff','cust_61296','Ivo Rossi','2025-10-15T20:35:55+00:00',1200,'USD','failed',0,0,0,'Harbor plan, monthly','in_61296_202510','card','Visa','7499','card_087ed373c14cbe6a','card_declined',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_0c87ff017773ecaf','cust_61222','Goran Costa','2025-10-15T18:34:02+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61222_202510','card','Mastercard','0331','card_010b2db4e55dbc5e',NULL,NULL,'2025-10-17',1);
INSERT INTO "transactions" VALUES('ch_bcd9f47d0f358060','cust_61444','Mina Eriksen','2025-10-14T23:55:01+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61444_202510','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2025-10-16',1);
INSERT INTO "transactions" VALUES('ch_37873d33fa24ac46','cust_61444','Mina Eriksen','2025-10-14T23:08:01+00:00',9800,'USD','failed',0,0,0,'Harbor plan, monthly','in_61444_202510','card','American Express','8174','card_e3c10bd69b917fc5','card_declined',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_cb4fe940ffcc3c13','cust_61370','Katya Kowalski','2025-10-09T19:46:51+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor plan, monthly','in_61370_202510','card','American Express','6418','card_199ea8a936998604',NULL,NULL,'2025-10-13',1);
INSERT INTO "transactions" VALUES('ch_97e7ecef003e7db4','cust_61037','Ben Haddad','2025-10-09T16:22:10+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61037_202510','card','American Express','3952','card_34e93f8ef4b64d42',NULL,NULL,'2025-10-13',1);
INSERT INTO "transactions" VALUES('ch_3e28239c20f47030','cust_61148','Emre Ito','2025-10-09T13:56:16+00:00',9800,'GBP','succeeded',9800,0,0,'Harbor plan, monthly','in_61148_202510','card','American Express','6308','card_2a4bb4913fce672e',NULL,NULL,'2025-10-13',1);
INSERT INTO "transactions" VALUES('ch_8802e411d939674c','cust_61518','Omar Tanaka','2025-10-08T04:25:54+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61518_202510','card','Mastercard','3268','card_29a298f349a953ce',NULL,NULL,'2025-10-10',1);
INSERT INTO "transactions" VALUES('ch_6017e31a1d898f81','cust_61518','Omar Tanaka','2025-10-08T04:11:54+00:00',14700,'USD','failed',0,0,0,'Harbor plan, monthly','in_61518_202510','card','Mastercard','3268','card_29a298f349a953ce','card_declined',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_f2f7230688cee24e','cust_61074','Chiara Ortega','2025-10-08T03:04:20+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61074_202510','card','Mastercard','1584','card_9e8680dba7cded40',NULL,NULL,'2025-10-10',1);
INSERT INTO "transactions" VALUES('ch_8d67bb99016f1b2b','cust_61555','Priya Fontaine','2025-10-06T08:03:21+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61555_202510','card','American Express','0533','card_8dfa27459f7aebe0',NULL,NULL,'2025-10-08',1);
INSERT INTO "transactions" VALUES('ch_246643491bd4f504','cust_12345','Maya Lindqvist','2025-10-03T09:14:26+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202510','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-10-07',1);
INSERT INTO "transactions" VALUES('ch_e4dda8e7721f8784','cust_61333','Jun Duarte','2025-10-01T19:11:37+00:00',4900,'USD','succeeded',4900,0,0,'Harbor plan, monthly','in_61333_202510','card','Visa','6970','card_54a6464daf12f545',NULL,NULL,'2025-10-03',1);
INSERT INTO "transactions" VALUES('ch_8075fb7cc8e6aadd','cust_61185','Farah Petrov','2025-09-25T14:21:19+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61185_202509','card','Visa','9269','card_f0345a978b377367',NULL,NULL,'2025-09-29',1);
INSERT INTO "transactions" VALUES('ch_f7caad4893fa2801','cust_61185','Farah Petrov','2025-09-25T14:12:19+00:00',14700,'USD','failed',0,0,0,'Harbor plan, monthly','in_61185_202509','card','Visa','9269','card_f0345a978b377367','card_declined',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_2b08f7177b6d461d','cust_61111','Dinh Brandt','2025-09-24T04:51:38+00:00',2900,'USD','succeeded',2900,0,0,'Harbor plan, monthly','in_61111_202509','card','American Express','8959','card_743bd70a692317c5',NULL,NULL,'2025-09-26',1);
INSERT INTO "transactions" VALUES('ch_e89349c41df76ac0','cust_31108','Sofia Marchetti','2025-09-17T18:05:20+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202509','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2025-09-19',1);
INSERT INTO "transactions" VALUES('ch_b90d914b2a7fcaec','cust_61296','Ivo Rossi','2025-09-15T20:31:09+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61296_202509','card','Visa','7499','card_087ed373c14cbe6a',NULL,NULL,'2025-09-17',1);
INSERT INTO "transactions" VALUES('ch_8df823890806b137','cust_61000','Ada Adler','2025-09-14T11:44:17+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61000_202509','card','Mastercard','1745','card_1d6788089352387a',NULL,NULL,'2025-09-16',1);
INSERT INTO "transactions" VALUES('ch_a370e8d762f31ee0','cust_61259','Hana Jansen','2025-09-09T23:57:28+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61259_202509','card','Visa','6382','card_d2dc624001c9bda8',NULL,NULL,'2025-09-11',1);
INSERT INTO "transactions" VALUES('ch_8b22371e52667ecf','cust_61370','Katya Kowalski','2025-09-09T19:18:36+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor plan, monthly','in_61370_202509','card','American Express','6418','card_199ea8a936998604',NULL,NULL,'2025-09-11',1);
INSERT INTO "transactions" VALUES('ch_b68a3d45fe236fbd','cust_61518','Omar Tanaka','2025-09-08T04:09:26+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61518_202509','card','Mastercard','3268','card_29a298f349a953ce',NULL,NULL,'2025-09-10',1);
INSERT INTO "transactions" VALUES('ch_c8a576aa651cd2ff','cust_61074','Chiara Ortega','2025-09-08T03:21:13+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61074_202509','card','Mastercard','1584','card_9e8680dba7cded40',NULL,NULL,'2025-09-10',1);
INSERT INTO "transactions" VALUES('ch_32e1f876a9715f06','cust_61555','Priya Fontaine','2025-09-06T08:46:48+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61555_202509','card','American Express','0533','card_8dfa27459f7aebe0',NULL,NULL,'2025-09-09',1);
INSERT INTO "transactions" VALUES('ch_e4fb391c7d4d01f3','cust_61481','Noor Lopez','2025-09-03T15:30:57+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61481_202509','card','American Express','5646','card_9be1b4803df24ff4',NULL,NULL,'2025-09-05',1);
INSERT INTO "transactions" VALUES('ch_3171c67ecd15be84','cust_12345','Maya Lindqvist','2025-09-03T09:14:52+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202509','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-09-05',1);
INSERT INTO "transactions" VALUES('ch_eedb0c4036ba13da','cust_61333','Jun Duarte','2025-09-01T19:54:07+00:00',4900,'USD','succeeded',4900,0,0,'Harbor plan, monthly','in_61333_202509','card','Visa','6970','card_54a6464daf12f545',NULL,NULL,'2025-09-03',1);
INSERT INTO "transactions" VALUES('ch_okafor_dup','cust_20417','Daniel Okafor','2025-09-01T07:00:02+00:00',478800,'USD','succeeded',478800,0,0,'Harbor Business plan, yearly','in_okafor_2025','card','Mastercard','5454','card_80e4d1617020e166',NULL,'needs_response','2025-09-03',1);
INSERT INTO "transactions" VALUES('ch_38a9e43aeb9ad515','cust_20417','Daniel Okafor','2025-09-01T07:00:00+00:00',478800,'USD','succeeded',478800,0,0,'Harbor Business plan, yearly','in_okafor_2025','card','Mastercard','5454','card_80e4d1617020e166',NULL,NULL,'2025-09-03',1);
INSERT INTO "transactions" VALUES('ch_5901bb735d07b3bb','cust_61629','Rosa Weber','2025-08-26T02:48:58+00:00',1200,'GBP','succeeded',1200,0,0,'Harbor plan, monthly','in_61629_202508','card','Mastercard','6839','card_81a8fb31bd8acf2c',NULL,NULL,'2025-08-28',1);
INSERT INTO "transactions" VALUES('ch_2d69160cafc8fffe','cust_61111','Dinh Brandt','2025-08-24T04:25:55+00:00',2900,'USD','succeeded',2900,0,0,'Harbor plan, monthly','in_61111_202508','card','American Express','8959','card_743bd70a692317c5',NULL,NULL,'2025-08-26',1);
INSERT INTO "transactions" VALUES('ch_4e0589a6fb26ba0e','cust_31108','Sofia Marchetti','2025-08-17T18:05:38+00:00',1200,'EUR','succeeded',1200,0,0,'Harbor Personal, monthly','in_sofia_202508','card','Visa','0341','card_86846e84f9bfb205',NULL,NULL,'2025-08-19',1);
INSERT INTO "transactions" VALUES('ch_083d9e09bd954ee1','cust_61222','Goran Costa','2025-08-15T19:31:08+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61222_202508','card','Mastercard','0331','card_010b2db4e55dbc5e',NULL,NULL,'2025-08-19',1);
INSERT INTO "transactions" VALUES('ch_e04c4bd5eb441c3c','cust_61222','Goran Costa','2025-08-15T18:44:08+00:00',9800,'USD','failed',0,0,0,'Harbor plan, monthly','in_61222_202508','card','Mastercard','0331','card_010b2db4e55dbc5e','card_declined',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_5111a1945aa02db8','cust_61444','Mina Eriksen','2025-08-14T23:47:59+00:00',9800,'USD','succeeded',9800,0,0,'Harbor plan, monthly','in_61444_202508','card','American Express','8174','card_e3c10bd69b917fc5',NULL,NULL,'2025-08-18',1);
INSERT INTO "transactions" VALUES('ch_78bb928cb88d69b3','cust_61000','Ada Adler','2025-08-14T11:59:35+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61000_202508','card','Mastercard','1745','card_1d6788089352387a',NULL,NULL,'2025-08-18',1);
INSERT INTO "transactions" VALUES('ch_1c94e61f9bee7abb','cust_61592','Quinn Moreau','2025-08-10T13:56:26+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61592_202508','card','American Express','0960','card_55764fa401e9c56f',NULL,NULL,'2025-08-12',1);
INSERT INTO "transactions" VALUES('ch_8d0a4e9d2b86a671','cust_61259','Hana Jansen','2025-08-09T23:04:12+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61259_202508','card','Visa','6382','card_d2dc624001c9bda8',NULL,NULL,'2025-08-12',1);
INSERT INTO "transactions" VALUES('ch_828aaab7e76b9050','cust_61518','Omar Tanaka','2025-08-08T04:21:04+00:00',14700,'USD','succeeded',14700,0,0,'Harbor plan, monthly','in_61518_202508','card','Mastercard','3268','card_29a298f349a953ce',NULL,NULL,'2025-08-12',1);
INSERT INTO "transactions" VALUES('ch_02b6e5a799c50188','cust_61518','Omar Tanaka','2025-08-08T04:12:04+00:00',14700,'USD','failed',0,0,0,'Harbor plan, monthly','in_61518_202508','card','Mastercard','3268','card_29a298f349a953ce','card_declined',NULL,NULL,0);
INSERT INTO "transactions" VALUES('ch_0695486c5a175e9b','cust_61074','Chiara Ortega','2025-08-08T03:01:00+00:00',1200,'USD','succeeded',1200,0,0,'Harbor plan, monthly','in_61074_202508','card','Mastercard','1584','card_9e8680dba7cded40',NULL,NULL,'2025-08-12',1);
INSERT INTO "transactions" VALUES('ch_0753efe1e82358b2','cust_12345','Maya Lindqvist','2025-08-03T09:14:16+00:00',24500,'USD','succeeded',24500,0,0,'Harbor Team plan, 5 seats','in_maya_202508','card','Visa','4242','card_a95db5b0ac159e43',NULL,NULL,'2025-08-05',1);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq) OR EXISTS (SELECT 1 FROM audit WHERE call_id = NEW.call_id)
    BEGIN SELECT RAISE(ABORT, 'audit is append-only: that record is there'); END;
CREATE INDEX approvals_by_request ON approvals (requester, run, tool, digest);
CREATE UNIQUE INDEX one_open_approval_per_request ON approvals (server, requester, run, tool, digest) WHERE state IN ('pending', 'approved');
CREATE INDEX transactions_by_customer ON transactions (customer_id, created_at, transaction_id);
CREATE INDEX transactions_by_time ON transactions (created_at, transaction_id);
CREATE INDEX transactions_by_invoice ON transactions (invoice_id);
CREATE INDEX refunds_by_status ON refunds (status);
CREATE INDEX refunds_by_transaction ON refunds (transaction_id);
CREATE UNIQUE INDEX one_unsettled_refund_per_charge_and_amount ON refunds (transaction_id, amount_minor) WHERE status = 'pending';
CREATE INDEX ledger_entries_by_transaction ON ledger_entries (transaction_id);
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE INDEX refunds_by_customer ON refunds (customer_id, created_at);
COMMIT;
